// The part of sqlite_broker that settles.
#include "protocol/broker/priority.hpp"
#include "protocol/broker/sqlite/ledger.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/broker/sqlite/uniqueness.hpp"

#include <algorithm>
#include <charconv>

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction. Larger: fewer commits, but nobody else writes meanwhile.
constexpr size_t settlements_per_commit = 500;

// How long a tag's `none` settlement is known as carried out: nobody resends it
// later than that.
constexpr auto resend_window = std::chrono::hours{1};

// A tag in its parts. One of a peer that numbers nothing is an owner of its own.
struct tag_parts {
  std::string_view owner;
  int64_t sequence = 0;
};

tag_parts split(const delivery_tag& tag) {
  std::string_view text{tag.str()};
  auto slash = text.rfind('/');
  if (slash == text.npos)
    return {text};
  tag_parts result{text.substr(0, slash)};
  auto end = text.data() + text.size();
  auto [ptr, ec]
    = std::from_chars(text.data() + slash + 1, end, result.sequence);
  return ec == std::errc{} && ptr == end && result.sequence >= 0
             ? result
             : tag_parts{text};
}

} // namespace

bool sqlite_broker::stores_results() const {
  return results_.has_value();
}

bool sqlite_broker::counts_chords() const {
  return chords_.has_value();
}

// 0, which is nobody's, if it is not known. Remembered within one transaction.
int64_t sqlite_broker::owner_of(std::string_view name) {
  if (auto i = owners_.find(name); i != owners_.end())
    return i->second;
  auto id = db_->number(sql::owner_id, name).value_or(0);
  owners_.emplace(name, id);
  return id;
}

entry sqlite_broker::entry_of(const delivery_tag& tag) {
  auto [owner, sequence] = split(tag);
  return {owner_of(owner), sequence};
}

expected<std::vector<bool>>
sqlite_broker::settle(std::span<const settlement> batch) {
  if (!stores_results()
      && std::ranges::any_of(batch, [](auto& x) {
           return x.result || !x.workflow.results.empty();
         }))
    return error{errc::unsupported,
                 "settle on " + location()
                   + ": results belong into another store, which has to get "
                     "them first"};
  std::vector<bool> result;
  result.reserve(batch.size());
  while (!batch.empty()) {
    auto some = batch.first(std::min(batch.size(), settlements_per_commit));
    batch = batch.subspan(some.size());
    news told;
    owners_.clear();
    transaction change{*db_};
    while (!some.empty()) {
      auto other = std::ranges::find_if(some, [](auto& x) {
        return x.how != disposition::ack;
      });
      auto acks = static_cast<size_t>(other - some.begin());
      acknowledge(some.first(acks), told, result);
      some = some.subspan(acks);
      if (!some.empty()) {
        result.push_back(settle_one(some.front(), told));
        some = some.subspan(1);
      }
    }
    if (auto done = change.commit("settle messages"); !done)
      return done.error();
    tell(told);
  }
  return result;
}

// What most settlements are. What they take away goes in runs.
void sqlite_broker::acknowledge(std::span<const settlement> batch, news& told,
                                std::vector<bool>& result) {
  std::vector<entry> entries;
  entries.reserve(batch.size());
  for (auto& x : batch)
    entries.push_back(entry_of(x.tag));
  auto messages = take_reserved(*db_, entries);
  std::vector<int64_t> done;
  done.reserve(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    result.push_back(messages[i].has_value());
    if (!messages[i])
      continue;
    follow(batch[i], told);
    done.push_back(*messages[i]);
  }
  remove_messages(*db_, std::move(done));
}

bool sqlite_broker::settle_one(const settlement& x, news& told) {
  std::optional<int64_t> message;
  if (x.how != disposition::none) {
    auto tag = entry_of(x.tag);
    message = take_reserved(*db_, {&tag, 1}).front();
    if (!message)
      return false;
  } else if (x.dead || !x.publish.empty() || !x.workflow.empty()) {
    auto time = now();
    if (db_->run(sql::add_published, x.tag.str(), to_number(time)) == 0)
      return false;
    db_->run(sql::forget_published, to_number(time - resend_window));
  }
  follow(x, told);
  if (message)
    put_away(*message, x);
  else if (x.payload)
    note(x);
  told.messages = told.messages || x.how == disposition::requeue
                  || x.how == disposition::restore;
  return true;
}

/// What comes with a settlement that takes effect.
void sqlite_broker::follow(const settlement& x, news& told) {
  if (x.release)
    give_back(*db_, *x.release);
  if (x.result) {
    results_->store(*x.result);
    told.results = true;
  }
  if (!x.workflow.empty())
    carry_out(x.workflow, told);
  for (auto& follow_up : x.publish)
    put(follow_up);
  if (x.dead)
    park(x.queue, *x.dead);
  told.messages = told.messages || !x.publish.empty();
}

void sqlite_broker::carry_out(const workflow_steps& x, news& told) {
  for (auto& more : x.results)
    results_->store(more);
  told.results = told.results || !x.results.empty();
  if (!chords_)
    return; // whoever keeps the results counts
  for (auto& group : x.groups)
    chords_->keep(group);
  for (auto& part : x.parts) {
    told.results = true; // of what will not run
    chords_->count(part, false, [&](gapped_message message) {
      put({std::move(message.queue), message.priority,
           std::move(message.payload.front()), std::move(message.exchange),
           std::move(message.routing_key)});
      told.messages = true;
    });
  }
}

// What comes back should its owner die.
void sqlite_broker::note(const settlement& x) {
  auto [owner, sequence] = entry_of(x.tag);
  if (auto message = db_->number(sql::reserved_message, owner, sequence))
    db_->run(sql::replace_payload, *message, blob{*x.payload});
}

void sqlite_broker::put_away(int64_t message, const settlement& x) {
  if (x.payload)
    db_->run(sql::replace_payload, message, blob{*x.payload});
  switch (x.how) {
    case disposition::none:
    case disposition::ack: // see acknowledge
      break;
    case disposition::requeue:
      put_back(*db_, message, place::last);
      break;
    case disposition::restore:
      put_back(*db_, message, place::first);
      break;
    case disposition::delay:
      db_->run(sql::add_delayed, to_number(x.due), message);
      break;
  }
}

void sqlite_broker::park(const queue_name& queue, const dead_letter& x) {
  auto number = db_->number(sql::add_dead, queue.str(), to_number(now()),
                            x.reason, blob{x.payload});
  auto max = static_cast<int64_t>(options_.dead_letters_max);
  db_->run(sql::trim_dead, queue.str(), number.value_or(0) - max);
}

void sqlite_broker::tell(news x) const noexcept {
  if (x.messages)
    ring(db_->where().path, topic::messages);
  if (x.results)
    ring(db_->where().path, topic::results);
}

expected<std::vector<bool>>
sqlite_broker::owned(std::span<const delivery_tag> tags) {
  std::vector<bool> result;
  result.reserve(tags.size());
  owners_.clear();
  for (auto& tag : tags) {
    auto [owner, sequence] = entry_of(tag);
    result.push_back(
      db_->number(sql::is_reserved, owner, sequence).has_value());
  }
  if (auto done = db_->outcome("look up tags"); !done)
    return done.error();
  return result;
}

expected<void> sqlite_broker::renew(std::span<const delivery_tag> tags) {
  auto time = now();
  owners_.clear();
  transaction change{*db_};
  auto end = db_->number(sql::end_of_lease, owner_);
  lease_ = !end                      ? lease_state::lost
           : *end > to_number(time) ? lease_state::held
                                     : lease_state::lapsed;
  db_->number(sql::extend_lease, owner_, to_number(time + options_.lease));
  for (auto& tag : tags) {
    auto [owner, sequence] = entry_of(tag);
    db_->run(sql::renew_reserved, owner, sequence, to_number(time));
  }
  return change.commit("renew the lease");
}

lease_state sqlite_broker::lease() const {
  return lease_;
}

expected<void> sqlite_broker::release() {
  transaction change{*db_};
  db_->run(sql::remove_idle_owner, owner_);
  db_->run(sql::end_lease, owner_);
  return change.commit("give up the lease");
}

} // namespace umbel
