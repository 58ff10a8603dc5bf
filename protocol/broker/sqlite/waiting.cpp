// The part of sqlite_broker for tasks that wait: delayed messages that are due,
// and turns under shared rate limits.
#include "protocol/broker/rate_bucket.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/broker/sqlite/uniqueness.hpp"

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction: nobody else writes meanwhile.
constexpr size_t messages_per_forward = 500;

timestamp to_time(int64_t x) {
  return timestamp{std::chrono::microseconds{x}};
}

} // namespace

expected<forward_report> sqlite_broker::forward() {
  constexpr auto doing = "put delayed messages back";
  using std::chrono::milliseconds;
  auto next_look = [&](timestamp time) {
    auto first = db_->number(sql::first_due);
    if (!first)
      return look_interval;
    auto left = std::chrono::ceil<milliseconds>(to_time(*first) - time);
    return std::clamp<milliseconds>(left, milliseconds{0}, look_interval);
  };
  forward_report result;
  result.next = next_look(now()); // without the lock
  if (auto done = db_->outcome(doing); !done)
    return done.error();
  if (result.next.count() > 0)
    return result;
  auto time = now();
  std::vector<std::pair<int64_t, int64_t>> due;
  transaction change{*db_};
  {
    auto found
      = db_->select(sql::due_messages, to_number(time), messages_per_forward);
    while (found.next())
      due.emplace_back(found.integer(0), found.integer(1));
  }
  // The last one first: each is put before those that are due later.
  for (auto i = due.rbegin(); i != due.rend(); ++i)
    put_first(*db_, i->second);
  if (!due.empty())
    db_->run(sql::take_delayed, due.back().first, due.back().second);
  result.next = next_look(time);
  if (auto done = change.commit(doing); !done)
    return done.error();
  result.forwarded = due.size();
  if (!due.empty())
    ring(db_->where().path, topic::messages);
  return result;
}

expected<std::vector<turn>>
sqlite_broker::take_turns(std::span<const turn_request> batch) {
  std::vector<turn> result;
  if (batch.empty())
    return result;
  transaction change{*db_};
  auto time = now();
  for (auto& x : batch) {
    rate_bucket bucket;
    if (auto found = db_->select(sql::rate_of, x.limit); found.next())
      bucket = {to_time(found.integer(0)), to_time(found.integer(1))};
    auto slot = bucket.take(time, x.rate, x.hold, x.waited);
    db_->run(sql::set_rate, x.limit, to_number(bucket.free()),
             to_number(bucket.line()));
    result.push_back({slot.at - time, slot.taken});
  }
  if (auto done = change.commit("ask for turns under a rate limit"); !done)
    return done.error();
  return result;
}

expected<std::vector<std::string>>
sqlite_broker::claim_keys(std::span<const key_claim> batch) {
  return sqlite::claim_keys(*db_, batch);
}

} // namespace umbel
