#include "protocol/broker/sqlite/sqlite_subscription.hpp"

#include "protocol/broker/fanout.hpp"
#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <algorithm>
#include <atomic>

namespace umbel {

using namespace sqlite;

namespace {

using clock = std::chrono::steady_clock;

// Messages that an exchange keeps. Who falls further behind misses some.
constexpr int64_t broadcasts_max = 10'000;

// How often somebody who listens says a word.
constexpr auto renew_interval = std::chrono::seconds{5};

class sqlite_subscription final : public subscription {
public:
  sqlite_subscription(std::unique_ptr<database> db, bell x, wake_event wake,
                      const broker_options& options, std::chrono::milliseconds lease)
      : db_(std::move(db)), bell_(std::move(x)), wake_(std::move(wake)),
        options_(options), lease_(lease) {
  }

  ~sqlite_subscription() override {
    transaction change{*db_};
    for (auto& x : sources_)
      db_->run(sql::remove_subscriber, x.id);
    db_->run(sql::remove_closed_mailboxes);
    // If it fails, its lease ends.
    [[maybe_unused]] auto done = change.commit("end listening");
  }

  expected<void> add(const std::string& exchange,
                     const std::string& pattern) override {
    transaction change{*db_};
    auto time = now();
    db_->run(sql::remove_dead_subscribers, to_number(time));
    db_->run(sql::remove_closed_mailboxes);
    for (auto& name : fanout_names(options_, exchange, pattern)) {
      auto id = db_->number(sql::add_subscriber, name,
                            to_number(time + lease_));
      auto last = db_->number(sql::last_broadcast, name);
      sources_.push_back({exchange, name, id.value_or(0), last.value_or(0)});
    }
    return change.commit(doing);
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    auto deadline = clock::now() + timeout;
    for (;;) {
      if (auto done = renew(); !done)
        return done.error();
      auto x = read();
      if (!x || *x || closed_)
        return x;
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - clock::now());
      if (left.count() <= 0)
        return x;
      auto pause
        = std::min<std::chrono::milliseconds>(left, renew_interval);
      if (auto waited = bell_.wait(wake_, pause); !waited)
        return waited.error();
    }
  }

  void close() override {
    closed_ = true;
    wake_.signal();
  }

private:
  static constexpr auto doing = "listen to broadcasts";

  /// One of the exchanges that it listens to.
  struct source {
    std::string exchange;
    std::string name; ///< `fanout_name`
    int64_t id = 0;   ///< as a subscriber
    int64_t last = 0; ///< the number of the last one that was read
  };

  expected<std::optional<broadcast>> read() {
    std::optional<broadcast> result;
    for (size_t i = 0; i < sources_.size() && !result; ++i) {
      auto& x = sources_.front();
      {
        auto found = db_->select(sql::next_broadcast, x.name, x.last);
        if (found.next()) {
          x.last = found.integer(0);
          result = broadcast{x.exchange, std::string{found.text(1)}};
        }
      }
      // The others have their turn.
      std::ranges::rotate(sources_, sources_.begin() + 1);
    }
    if (auto done = db_->outcome(doing); !done)
      return done.error();
    return result;
  }

  expected<void> renew() {
    if (clock::now() < renew_at_)
      return {};
    renew_at_ = clock::now() + renew_interval;
    transaction change{*db_};
    auto until = to_number(now() + lease_);
    for (auto& x : sources_)
      if (db_->run(sql::renew_subscriber, x.id, until) == 0)
        db_->run(sql::restore_subscriber, x.id, x.name, until);
    return change.commit(doing);
  }

  std::unique_ptr<database> db_;
  bell bell_;
  wake_event wake_;
  broker_options options_;
  std::chrono::milliseconds lease_;
  std::atomic<bool> closed_ = false;
  std::vector<source> sources_;
  clock::time_point renew_at_ = clock::now() + renew_interval;
};

} // namespace

expected<std::unique_ptr<subscription>>
subscribe_sqlite(const std::string& url, const broker_options& options,
                 const std::string& exchange, const std::string& pattern,
                 std::chrono::milliseconds lease) {
  auto db = open_database(url, options.global_keyprefix);
  if (!db)
    return db.error();
  auto opened = bell::open((*db)->where().path, topic::broadcasts);
  if (!opened)
    return opened.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  auto result = std::make_unique<sqlite_subscription>(
    std::move(*db), std::move(*opened), std::move(*wake), options, lease);
  if (auto done = result->add(exchange, pattern); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

namespace sqlite {

expected<size_t> publish_broadcast(database& db, const std::string& exchange,
                                   const std::string& payload) {
  auto count = db.number(sql::count_subscribers, exchange, to_number(now()));
  if (auto done = db.outcome("look for listeners"); !done)
    return done.error();
  // Events that nobody watches are no reason to write. Commands are kept: a worker
  // that was paused for so long that it is not counted hears them all the same.
  if (count.value_or(0) == 0 && !exchange.ends_with(".pidbox"))
    return size_t{0};
  transaction change{db};
  auto number = db.number(sql::add_broadcast, exchange, blob{payload});
  db.run(sql::trim_broadcast, exchange, number.value_or(0) - broadcasts_max);
  if (auto done = change.commit("broadcast a message"); !done)
    return done.error();
  ring(db.where().path, topic::broadcasts);
  return static_cast<size_t>(count.value_or(0));
}

} // namespace sqlite

} // namespace umbel
