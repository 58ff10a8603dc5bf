#include "protocol/backend/sqlite/sqlite_result_store.hpp"

#include "protocol/backend/sqlite/result_rows.hpp"
#include "protocol/backend/workflow_store.hpp"
#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/chords.hpp"

#include <algorithm>

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction: nobody else writes meanwhile.
constexpr size_t records_per_commit = 500;

class sqlite_result_store final : public result_store, public workflow_store {
public:
  sqlite_result_store(std::unique_ptr<database> db,
                      const result_store_options& options)
      : db_(std::move(db)), rows_(*db_, options.result_expires),
        chords_(*db_, rows_, options.result_expires) {
  }

  std::string location() const override {
    return db_->where().str();
  }

  expected<void> store(std::span<const result_record> batch) override {
    while (!batch.empty()) {
      auto some = batch.first(std::min(batch.size(), records_per_commit));
      batch = batch.subspan(some.size());
      transaction change{*db_};
      for (auto& x : some)
        rows_.store(x);
      if (auto done = change.commit("store results"); !done)
        return done;
      ring(db_->where().path, topic::results);
    }
    return {};
  }

  expected<std::optional<std::string>> fetch(const task_id& id) override {
    auto result = rows_.fetch(id);
    if (auto done = db_->outcome("fetch a result"); !done)
      return done.error();
    return result;
  }

  expected<void> forget(const task_id& id) override {
    transaction change{*db_};
    rows_.forget(id);
    return change.commit("forget a result");
  }

  // -- workflow_store -----------------------------------------------------------

  expected<std::vector<std::optional<std::string>>>
  fetch_all(std::span<const task_id> ids) override {
    std::vector<std::optional<std::string>> to;
    for (auto& id : ids)
      to.push_back(rows_.fetch(id));
    if (auto done = db_->outcome("fetch results"); !done)
      return done.error();
    return to;
  }

  expected<std::optional<std::string>>
  fetch_group(const std::string& id) override {
    auto result = chords_.group(id);
    if (auto done = db_->outcome("fetch a group"); !done)
      return done.error();
    return result;
  }

  expected<void> forget_group(const std::string& id) override {
    transaction change{*db_};
    chords_.forget_group(id);
    return change.commit("forget a group");
  }

  expected<std::vector<std::vector<gapped_message>>>
  count(std::span<const group_record> groups,
        std::span<const chord_part> parts) override {
    std::vector<std::vector<gapped_message>> follows(parts.size());
    transaction change{*db_};
    for (auto& x : groups)
      chords_.keep(x);
    for (size_t i = 0; i < parts.size(); ++i)
      chords_.count(parts[i], true, [&](gapped_message message) {
        follows[i].push_back(std::move(message));
      });
    if (auto done = change.commit("count parts of chords"); !done)
      return done.error();
    ring(db_->where().path, topic::results);
    return follows;
  }

  expected<void> finish(std::span<const chord_part> parts) override {
    transaction change{*db_};
    for (auto& x : parts)
      chords_.finish(x);
    return change.commit("forget a chord's parts");
  }

private:
  std::unique_ptr<database> db_;
  result_rows rows_;
  chords chords_;
};

} // namespace

expected<std::unique_ptr<result_store>>
connect_sqlite_result_store(const std::string& url,
                            const result_store_options& options) {
  auto db = open_database(url, options.global_keyprefix);
  if (!db)
    return db.error();
  std::unique_ptr<result_store> result
    = std::make_unique<sqlite_result_store>(std::move(*db), options);
  return result;
}

} // namespace umbel
