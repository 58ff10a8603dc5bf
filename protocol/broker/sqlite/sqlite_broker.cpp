#include "protocol/broker/sqlite/sqlite_broker.hpp"

#include "protocol/broker/fanout.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_subscription.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <algorithm>

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction. Larger: fewer commits, but nobody else writes meanwhile.
constexpr size_t reserve_max = 1'000;
constexpr size_t messages_per_publish = 1'000;
constexpr int64_t messages_per_purge = 5'000;

} // namespace

// -- constructors, destructors ------------------------------------------------

expected<std::unique_ptr<broker>>
connect_sqlite_broker(const std::string& url, const broker_options& options) {
  auto db = open_database(url, options.global_keyprefix);
  if (!db)
    return db.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<broker> result = std::make_unique<sqlite_broker>(
    std::move(*db), std::move(*wake), options);
  return result;
}

sqlite_broker::sqlite_broker(std::unique_ptr<database> db, wake_event wake,
                             const broker_options& options)
    : options_(options), db_(std::move(db)), wake_(std::move(wake)),
      owner_(options.node.str() + '/' + options.incarnation),
      next_sequence_(options.first_sequence) {
  auto url = parse_url(options.result_url);
  if (!url || !is_sqlite(url->scheme))
    return;
  auto results = to_address(*url);
  if (results && results->same_file(db_->where()))
    results_.emplace(*db_, options.results.result_expires);
}

std::string sqlite_broker::location() const {
  return db_->where().str();
}

// -- consuming ----------------------------------------------------------------

expected<void> sqlite_broker::listen() {
  if (bell_)
    return {};
  auto opened = bell::open(db_->where().path, topic::messages);
  if (!opened)
    return opened.error();
  bell_.emplace(std::move(*opened));
  return {};
}

bool sqlite_broker::anything_waits() {
  return std::ranges::any_of(options_.queues, [&](auto& queue) {
    return db_->number(sql::any_waiting, queue.str()).has_value();
  });
}

// What is reserved must belong to somebody whose death can be seen.
int64_t sqlite_broker::hold_lease() {
  auto time = now();
  if (auto id = db_->number(sql::living_owner, owner_, to_number(time)))
    return *id;
  return db_->number(sql::extend_lease, owner_, to_number(time + options_.lease))
    .value_or(0);
}

expected<std::vector<delivery>> sqlite_broker::reserve(size_t max) {
  constexpr auto doing = "reserve messages";
  std::vector<delivery> result;
  drained_ = options_.queues.empty();
  if (max == 0 || options_.queues.empty())
    return result;
  if (auto ok = listen(); !ok)
    return ok.error();
  max = std::min(max, reserve_max);
  // A look without the lock: whoever finds nothing disturbs nobody.
  if (looked_behind_ && !anything_waits()) {
    drained_ = true;
    if (auto ok = db_->outcome(doing); !ok)
      return ok.error();
    return result;
  }
  auto before = next_sequence_;
  auto looked_before = looked_behind_;
  transaction change{*db_};
  auto owner = hold_lease();
  if (!looked_behind_)
    reclaim(owner, max, result);
  if (looked_behind_)
    take(owner, max, result);
  if (auto done = change.commit(doing); !done) {
    next_sequence_ = before;
    looked_behind_ = looked_before;
    return done.error();
  }
  drained_ = result.size() < max;
  return result;
}

// What a predecessor of this connection reserved, and did not live to deliver.
void sqlite_broker::reclaim(int64_t owner, size_t max,
                            std::vector<delivery>& result) {
  auto found = db_->select(sql::reserved_since, owner,
                           static_cast<int64_t>(next_sequence_), max);
  while (found.next()) {
    auto sequence = static_cast<uint64_t>(found.integer(0));
    next_sequence_ = sequence + 1;
    result.push_back({delivery_tag{owner_ + '/' + std::to_string(sequence)},
                      queue_name{std::string{found.text(2)}},
                      std::string{found.text(3)}});
  }
  looked_behind_ = result.size() < max;
}

// One message of each queue in turn, step by step; the turn is kept between
// calls. A step is finished when no queue had anything for a whole round.
void sqlite_broker::take(int64_t owner, size_t max,
                         std::vector<delivery>& result) {
  auto& names = options_.queues;
  std::vector<candidates> queues(names.size());
  std::set<int64_t> steps;
  for (size_t i = 0; i < names.size(); ++i) {
    auto found = db_->select(sql::next_waiting, names[i].str(), max);
    while (found.next()) {
      queues[i].items.push_back(
        {found.integer(0), found.integer(1), found.integer(2)});
      steps.insert(found.integer(0));
    }
  }
  for (auto step : steps)
    for (size_t idle = 0; idle < queues.size() && result.size() < max;) {
      auto turn = rotation_++ % queues.size();
      auto& queue = queues[turn];
      if (!queue.has(step)) {
        ++idle;
        continue;
      }
      idle = 0;
      take_one(owner, turn, queue.items[queue.taken++].message, result);
    }
  for (size_t i = 0; i < queues.size(); ++i) {
    auto& [items, taken] = queues[i];
    for (size_t j = 0; j < taken; ++j)
      if (j + 1 == taken || items[j + 1].step != items[j].step)
        db_->run(sql::take_waiting, names[i].str(), items[j].step,
                 items[j].position);
  }
}

void sqlite_broker::take_one(int64_t owner, size_t queue, int64_t message,
                             std::vector<delivery>& result) {
  auto sequence = next_sequence_++;
  db_->run(sql::add_reserved, owner, static_cast<int64_t>(sequence), message,
           to_number(now()));
  auto payload = db_->select(sql::message_payload, message);
  if (payload.next())
    result.push_back({delivery_tag{owner_ + '/' + std::to_string(sequence)},
                      options_.queues[queue], std::string{payload.text(0)}});
}

expected<void> sqlite_broker::wait(std::chrono::milliseconds timeout) {
  constexpr auto doing = "wait for messages";
  if (auto ok = listen(); !ok)
    return ok.error();
  if (auto ok = db_->check_file(doing); !ok)
    return ok.error();
  if (!drained_)
    return {};
  return bell_->wait(wake_, timeout);
}

void sqlite_broker::interrupt() noexcept {
  wake_.signal();
}

// -- producing ----------------------------------------------------------------

expected<void> sqlite_broker::declare(std::span<const queue_name> queues) {
  transaction change{*db_};
  for (auto& queue : queues)
    db_->run(sql::bind, queue.str(), queue.str(), 0, queue.str());
  return change.commit("declare queues");
}

expected<void>
sqlite_broker::publish(std::span<const outgoing_message> batch) {
  while (!batch.empty()) {
    auto some = batch.first(std::min(batch.size(), messages_per_publish));
    batch = batch.subspan(some.size());
    transaction change{*db_};
    for (auto& x : some)
      put(*db_, x, step_of(options_.priority_steps, x.priority));
    if (auto done = change.commit("publish messages"); !done)
      return done;
    ring(db_->where().path, topic::messages);
  }
  return {};
}

expected<size_t> sqlite_broker::publish(const std::string& exchange,
                                        const std::string& routing_key,
                                        const std::string& payload,
                                        int priority) {
  if (is_fanout(exchange))
    return publish_broadcast(*db_, exchange, payload);
  transaction change{*db_};
  auto queues = route(*db_, exchange, routing_key);
  for (auto& queue : queues)
    put(*db_, {queue_name{queue}, priority, payload},
        step_of(options_.priority_steps, priority));
  if (auto done = change.commit("publish a message"); !done)
    return done.error();
  if (!queues.empty())
    ring(db_->where().path, topic::messages);
  return queues.size();
}

// -- looking ------------------------------------------------------------------

expected<size_t> sqlite_broker::size(const queue_name& queue) {
  auto count = db_->number(sql::count_waiting, queue.str());
  if (auto done = db_->outcome("look at a queue"); !done)
    return done.error();
  return static_cast<size_t>(count.value_or(0));
}

expected<std::vector<dead_letter>>
sqlite_broker::dead_letters(const queue_name& queue, size_t max) {
  std::vector<dead_letter> result;
  {
    auto found = db_->select(sql::newest_dead, queue.str(), max);
    while (found.next())
      result.push_back(
        {std::string{found.text(0)}, std::string{found.text(1)}});
  }
  if (auto done = db_->outcome("read dead letters"); !done)
    return done.error();
  return result;
}

// In steps: nobody else writes during one of them. What comes meanwhile may be
// deleted, too, but does not keep it going for ever.
expected<size_t> sqlite_broker::purge(const queue_name& queue) {
  auto before = size(queue);
  if (!before)
    return before;
  size_t result = 0;
  while (result < *before) {
    std::vector<candidates::item> items;
    transaction change{*db_};
    {
      auto found
        = db_->select(sql::next_waiting, queue.str(), messages_per_purge);
      while (found.next())
        items.push_back(
          {found.integer(0), found.integer(1), found.integer(2)});
    }
    for (size_t i = 0; i < items.size(); ++i) {
      db_->run(sql::remove_message, items[i].message);
      if (i + 1 == items.size() || items[i + 1].step != items[i].step)
        db_->run(sql::take_waiting, queue.str(), items[i].step,
                 items[i].position);
    }
    if (auto done = change.commit("purge a queue"); !done)
      return done.error();
    if (items.empty())
      break; // others have consumed it
    result += items.size();
  }
  return result;
}

} // namespace umbel
