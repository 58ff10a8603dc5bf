#include "protocol/backend/sqlite/sqlite_result_store.hpp"

#include "protocol/backend/sqlite/result_rows.hpp"
#include "protocol/broker/sqlite/bell.hpp"

#include <algorithm>

namespace umbel {

using namespace sqlite;

namespace {

// Of one transaction: nobody else writes meanwhile.
constexpr size_t records_per_commit = 500;

class sqlite_result_store final : public result_store {
public:
  sqlite_result_store(std::unique_ptr<database> db,
                      const result_store_options& options)
      : db_(std::move(db)), rows_(*db_, options.result_expires) {
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

private:
  std::unique_ptr<database> db_;
  result_rows rows_;
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
