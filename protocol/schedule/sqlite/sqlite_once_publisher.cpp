#include "protocol/schedule/sqlite/sqlite_once_publisher.hpp"

#include "protocol/broker/priority.hpp"
#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/uniqueness.hpp"

#include <utility>

namespace umbel::schedule {

using namespace sqlite;

namespace {

// The table is made when it is first needed: files of before have none. Times in
// microseconds since 1970.
namespace sql {

constexpr auto make_table
  = "CREATE TABLE IF NOT EXISTS periodic_sent ("
    "  schedule TEXT NOT NULL, series TEXT NOT NULL, number INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, PRIMARY KEY (schedule, series)"
    ") WITHOUT ROWID";

constexpr auto forget = "DELETE FROM periodic_sent WHERE at <= ?1";

/// Schedule, series, number, now. No change if the number is not above the last one.
constexpr auto note
  = "INSERT INTO periodic_sent (schedule, series, number, at)"
    " VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (schedule, series)"
    " DO UPDATE SET number = excluded.number, at = excluded.at"
    " WHERE number < excluded.number";

} // namespace sql

class sqlite_once_publisher final : public once_publisher {
public:
  sqlite_once_publisher(std::unique_ptr<database> db,
                        const broker_options& options)
      : db_(std::move(db)), steps_(options.priority_steps) {
  }

  expected<void> publish(const std::string& schedule,
                         std::span<const item> items) override {
    if (items.empty())
      return {};
    std::optional<error> duplicate;
    transaction change{*db_};
    prepare();
    auto time = to_number(now());
    for (auto& x : items) {
      if (db_->run(sql::note, schedule, x.series, x.number, time) == 0)
        continue;
      auto terms = read_unique_terms(x.message.payload);
      auto holder = terms ? check_publishing(*db_, *terms) : std::string{};
      if (holder.empty())
        put(*db_, x.message, step_of(steps_, x.message.priority));
      else if (holder != terms->id && !duplicate)
        duplicate = error{errc::duplicate, describe_duplicate(*terms, holder)};
    }
    if (auto done = change.commit("publish periodic tasks"); !done)
      return done;
    ring(db_->where().path, topic::messages);
    prepared_ = true;
    if (duplicate)
      return *duplicate;
    return {};
  }

private:
  /// Within a transaction, once.
  void prepare() {
    if (prepared_)
      return;
    db_->run(sql::make_table);
    db_->run(sql::forget, to_number(now() - remembered));
  }

  std::unique_ptr<database> db_;
  std::vector<int> steps_;
  bool prepared_ = false;
};

} // namespace

expected<std::unique_ptr<once_publisher>>
open_sqlite_once_publisher(const std::string& broker_url,
                           const broker_options& options) {
  auto db = open_database(broker_url, options.global_keyprefix);
  if (!db)
    return db.error();
  return std::unique_ptr<once_publisher>{
    std::make_unique<sqlite_once_publisher>(std::move(*db), options)};
}

} // namespace umbel::schedule
