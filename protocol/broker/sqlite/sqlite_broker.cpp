#include "protocol/broker/sqlite/sqlite_broker.hpp"

#include "protocol/broker/fanout.hpp"
#include "protocol/broker/priority.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_subscription.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/broker/sqlite/uniqueness.hpp"

#include <algorithm>

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction. Larger: fewer commits, but nobody else writes meanwhile.
constexpr size_t reserve_max = 1'000;
constexpr size_t messages_per_publish = 1'000;
constexpr size_t messages_per_purge = 5'000;

// How long after the log was written what it says is looked for, at last: a commit can
// be read when its peer has synchronised it with the disk.
constexpr std::chrono::milliseconds last_look{500};

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
  if (results && results->same_file(db_->where())) {
    results_.emplace(*db_, options.results.result_expires);
    chords_.emplace(*db_, *results_, options.results.result_expires);
  }
}

std::string sqlite_broker::location() const {
  return db_->where().str();
}

// -- consuming ----------------------------------------------------------------

expected<void> sqlite_broker::listen() {
  if (bell_)
    return {};
  anything_waits(); // SQLite opens, or makes, the log when it first reads
  auto opened = bell::open(db_->where().path, topic::messages,
                           db_->where().kombu);
  if (!opened)
    return opened.error();
  bell_.emplace(std::move(*opened));
  return {};
}

bool sqlite_broker::anything_waits() {
  return std::ranges::any_of(options_.queues, [&](auto& queue) {
    return sqlite::anything_waits(*db_, queue);
  });
}

// What is reserved must belong to somebody whose death can be seen. Nothing if the
// lease, which another connection keeps, has ended.
std::optional<int64_t> sqlite_broker::hold_lease() {
  auto time = now();
  if (auto id = db_->number(sql::living_owner, owner_, to_number(time)))
    return id;
  if (options_.lease_is_kept)
    return std::nullopt;
  return db_->number(sql::extend_lease, owner_, to_number(time + options_.lease));
}

expected<std::vector<delivery>> sqlite_broker::reserve(size_t max) {
  constexpr auto doing = "reserve messages";
  std::vector<delivery> result;
  auto had_more = !drained_;
  drained_ = options_.queues.empty();
  if (max == 0 || options_.queues.empty())
    return result;
  if (auto ok = listen(); !ok)
    return ok.error();
  max = std::min(max, reserve_max);
  // A look without the lock: whoever finds nothing disturbs nobody.
  if (looked_behind_ && !had_more && !anything_waits()) {
    drained_ = true;
    if (auto ok = db_->outcome(doing); !ok)
      return ok.error();
    return result;
  }
  auto before = next_sequence_;
  auto looked_before = looked_behind_;
  transaction change{*db_};
  auto owner = hold_lease();
  if (!owner) {
    if (auto ok = db_->outcome(doing); !ok)
      return ok.error();
    return error{errc::unavailable, std::string{"cannot "} + doing + " on "
                                      + location() + ": the lease has ended"};
  }
  if (!looked_behind_) {
    // What a predecessor of this connection reserved, and did not live to deliver.
    collect(*owner, max, result);
    looked_behind_ = result.size() < max;
  }
  if (looked_behind_ && result.size() < max) {
    auto first = next_sequence_;
    auto taken = take(*owner, max - result.size());
    collect(*owner, taken, result);
    next_sequence_ = first + taken; // even if a message is not there
  }
  if (auto done = change.commit(doing); !done) {
    next_sequence_ = before;
    looked_behind_ = looked_before;
    return done.error();
  }
  drained_ = result.size() < max;
  return result;
}

// What is in the ledger from the next number on.
void sqlite_broker::collect(int64_t owner, size_t max,
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
}

// One message of each queue in turn, step by step; the turn is kept between
// calls. A step is finished when no queue had anything for a whole round.
// @returns how many
size_t sqlite_broker::take(int64_t owner, size_t max) {
  auto& names = options_.queues;
  std::vector<line> lines(names.size());
  std::set<int64_t> steps;
  for (size_t i = 0; i < names.size(); ++i) {
    lines[i].first = next_waiting(*db_, names[i], max, options_.priority_steps);
    for (auto& x : lines[i].first)
      steps.insert(x.step);
  }
  auto time = to_number(now());
  size_t result = 0;
  for (auto step : steps)
    for (size_t idle = 0; idle < lines.size() && result < max;) {
      auto turn = rotation_++ % lines.size();
      auto& queue = lines[turn];
      if (!queue.has(step)) {
        ++idle;
        continue;
      }
      idle = 0;
      auto message = claim(*db_, names[turn], queue.first[queue.taken++]);
      db_->run(sql::add_reserved, owner,
               static_cast<int64_t>(next_sequence_ + result++), message, time);
    }
  for (size_t i = 0; i < lines.size(); ++i)
    end_claims(*db_, names[i], std::span{lines[i].first}.first(lines[i].taken));
  return result;
}

expected<void> sqlite_broker::wait(std::chrono::milliseconds timeout) {
  using std::chrono::milliseconds;
  constexpr auto doing = "wait for messages";
  if (auto ok = listen(); !ok)
    return ok.error();
  if (auto ok = db_->check_file(doing); !ok)
    return ok.error();
  if (!drained_)
    return {};
  using clock = std::chrono::steady_clock;
  for (auto end = clock::now() + timeout;;) {
    auto left = std::max(
      std::chrono::ceil<milliseconds>(end - clock::now()), milliseconds{0});
    auto pause = next_look_.count() > 0 ? std::min(next_look_, left) : left;
    auto woken = bell_->wait(wake_, pause);
    if (!woken)
      return woken.error();
    // What a peer without a bell has written can be read a little later.
    if (*woken == waking::timeout)
      next_look_ = next_look_ < last_look ? 2 * next_look_ : milliseconds{0};
    else if (db_->where().kombu)
      next_look_ = milliseconds{1};
    if (*woken == waking::rung || *woken == waking::interrupted
        || left.count() == 0)
      return {};
    if (anything_waits())
      return db_->outcome(doing);
  }
}

expected<void> sqlite_broker::consume(std::span<const queue_name> queues) {
  options_.queues.assign(queues.begin(), queues.end());
  drained_ = false;
  return {};
}

void sqlite_broker::interrupt() noexcept {
  wake_.signal();
}

// -- producing ----------------------------------------------------------------

expected<void> sqlite_broker::declare(std::span<const queue_name> queues) {
  transaction change{*db_};
  for (auto& queue : queues)
    sqlite::declare(*db_, queue, binding_of(options_, queue.str()));
  return change.commit("declare queues");
}

expected<void>
sqlite_broker::publish(std::span<const outgoing_message> batch) {
  std::optional<error> duplicate;
  while (!batch.empty()) {
    auto some = batch.first(std::min(batch.size(), messages_per_publish));
    batch = batch.subspan(some.size());
    transaction change{*db_};
    for (auto& x : some) {
      auto terms = read_unique_terms(x.payload);
      auto holder = terms ? check_publishing(*db_, *terms) : std::string{};
      if (holder.empty())
        put(x);
      else if (holder != terms->id && !duplicate)
        duplicate = error{errc::duplicate, describe_duplicate(*terms, holder)};
    }
    if (auto done = change.commit("publish messages"); !done)
      return done;
    ring(db_->where().path, topic::messages);
  }
  if (duplicate)
    return *duplicate;
  return {};
}

/// Results by rpc:// go to mailboxes, which are no queues here.
expected<void>
sqlite_broker::send_replies(std::span<const outgoing_message> batch) {
  std::vector<outgoing_message> others;
  for (auto& x : batch) {
    auto mailbox = mailbox_of_queue(x.queue.str());
    if (mailbox.empty()) {
      others.push_back(x);
      continue;
    }
    auto heard = publish_broadcast(*db_, mailbox, x.payload);
    if (!heard)
      return heard.error();
  }
  return publish(others);
}

void sqlite_broker::put(const outgoing_message& x) {
  auto step = step_of(options_.priority_steps, x.priority);
  if (x.exchange.empty())
    return sqlite::put(*db_, x, step);
  if (!x.queue.empty())
    sqlite::declare(*db_, x.queue, binding_of(options_, x.queue.str()));
  for (auto& queue : route(*db_, x.exchange, x.routing_key))
    sqlite::put(*db_, {queue_name{queue}, x.priority, x.payload}, step);
}

expected<size_t> sqlite_broker::publish(const std::string& exchange,
                                        const std::string& routing_key,
                                        const std::string& payload,
                                        int priority) {
  if (is_fanout(options_, exchange))
    return publish_broadcast(*db_, fanout_name(options_, exchange, routing_key),
                             payload);
  if (leads_to_mailboxes(exchange))
    return publish_broadcast(*db_, mailbox_name(exchange, routing_key), payload);
  transaction change{*db_};
  auto queues = route(*db_, exchange, routing_key);
  for (auto& queue : queues)
    sqlite::put(*db_, {queue_name{queue}, priority, payload},
        step_of(options_.priority_steps, priority));
  if (auto done = change.commit("publish a message"); !done)
    return done.error();
  if (!queues.empty())
    ring(db_->where().path, topic::messages);
  return queues.size();
}

// -- looking ------------------------------------------------------------------

expected<size_t> sqlite_broker::size(const queue_name& queue) {
  auto count = count_waiting(*db_, queue);
  if (auto done = db_->outcome("look at a queue"); !done)
    return done.error();
  return static_cast<size_t>(count.value_or(0));
}

// In steps: nobody else writes during one of them. What comes meanwhile may be
// deleted, too, but does not keep it going for ever.
expected<size_t> sqlite_broker::purge(const queue_name& queue) {
  auto before = size(queue);
  if (!before)
    return before;
  size_t result = 0;
  while (result < *before) {
    transaction change{*db_};
    auto count = purge_some(*db_, queue, messages_per_purge);
    if (auto done = change.commit("purge a queue"); !done)
      return done.error();
    if (count == 0)
      break; // others have consumed it
    result += count;
  }
  return result;
}

} // namespace umbel
