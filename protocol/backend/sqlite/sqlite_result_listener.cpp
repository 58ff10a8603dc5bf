#include "protocol/backend/sqlite/sqlite_result_listener.hpp"

#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/database.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <unordered_set>

namespace umbel {

using namespace sqlite;

namespace {

constexpr auto waiting_for_results = "wait for results";

// Every state that is stored takes a new number. What is behind the last one
// that was seen is new; of a task that changed twice meanwhile it is the last
// state alone.
class sqlite_result_listener final : public result_listener {
public:
  sqlite_result_listener(std::unique_ptr<database> db, bell x, wake_event wake)
      : db_(std::move(db)), bell_(std::move(x)), wake_(std::move(wake)) {
  }

  expected<void> subscribe(std::span<const task_id> ids) override {
    if (auto done = read(); !done)
      return done;
    ids_.insert(ids.begin(), ids.end());
    return {};
  }

  expected<void> unsubscribe(std::span<const task_id> ids) override {
    for (auto& id : ids)
      ids_.erase(id);
    return {};
  }

  expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) override {
    if (auto done = read(); !done)
      return done.error();
    if (arrived_.empty()) {
      if (auto done = db_->check_file(waiting_for_results); !done)
        return done.error();
      if (auto done = bell_.wait(wake_, timeout); !done)
        return done.error();
      if (auto done = read(); !done)
        return done.error();
    }
    return std::exchange(arrived_, {});
  }

  void interrupt() noexcept override {
    wake_.signal();
  }

private:
  // While nobody waits for anything the results are passed over.
  expected<void> read() {
    if (ids_.empty()) {
      last_ = db_->number(sql::last_result).value_or(0);
    } else {
      auto found = db_->select(sql::results_after, last_);
      while (found.next()) {
        last_ = found.integer(0);
        task_id id{std::string{found.text(1)}};
        if (ids_.contains(id))
          arrived_.push_back({std::move(id), std::string{found.text(2)}});
      }
    }
    return db_->outcome(waiting_for_results);
  }

  std::unique_ptr<database> db_;
  bell bell_;
  wake_event wake_;
  std::unordered_set<task_id> ids_;
  std::vector<result_record> arrived_;
  int64_t last_ = 0; ///< the number of the last result that was seen
};

} // namespace

expected<std::unique_ptr<result_listener>>
connect_sqlite_result_listener(const std::string& url,
                               const result_store_options& options) {
  auto db = open_database(url, options.global_keyprefix);
  if (!db)
    return db.error();
  auto opened = bell::open((*db)->where().path, topic::results);
  if (!opened)
    return opened.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<result_listener> result
    = std::make_unique<sqlite_result_listener>(
      std::move(*db), std::move(*opened), std::move(*wake));
  return result;
}

} // namespace umbel
