// The part of sqlite_broker that puts back what others left.
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <tuple>

namespace umbel {

using namespace sqlite;

namespace {

constexpr auto restoring = "restore abandoned messages";

// Of one transaction: nobody else writes meanwhile.
constexpr size_t messages_per_commit = 500;

// Of one call: results that nobody writes behind, which would sweep them.
constexpr size_t results_per_sweep = 1'000;

} // namespace

// A look without the lock: nearly always there is nothing to do.
bool sqlite_broker::anything_abandoned() {
  auto time = now();
  return db_->number(sql::dead_owners, to_number(time), owner_)
         || db_->number(sql::reserved_before,
                        to_number(time - options_.visibility_timeout), owner_,
                        1);
}

// The last one goes back first, so that the first one, which is put before it, is
// consumed first.
template <class T>
expected<size_t> sqlite_broker::restore(const char* which, int64_t first,
                                        const T& second) {
  size_t result = 0;
  for (;;) {
    std::vector<std::tuple<int64_t, int64_t, int64_t>> found;
    transaction change{*db_};
    {
      auto rows = db_->select(which, first, second, messages_per_commit);
      while (rows.next())
        found.emplace_back(rows.integer(0), rows.integer(1), rows.integer(2));
    }
    for (auto& [owner, sequence, message] : found) {
      db_->run(sql::remove_reserved, owner, sequence, sequence);
      put_back(*db_, message, place::first);
    }
    if (auto done = change.commit(restoring); !done)
      return done.error();
    if (!found.empty())
      ring(db_->where().path, topic::messages);
    result += found.size();
    if (found.size() < messages_per_commit)
      return result;
  }
}

expected<recovery_report> sqlite_broker::recover() {
  recovery_report result;
  auto any = anything_abandoned();
  if (auto done = db_->outcome(restoring); !done)
    return done.error();
  if (any) {
    auto time = now();
    std::vector<std::pair<int64_t, std::string>> dead;
    {
      auto found = db_->select(sql::dead_owners, to_number(time), owner_);
      while (found.next())
        dead.emplace_back(found.integer(0), found.text(1));
    }
    for (auto& [id, name] : dead) {
      auto restored = restore(sql::reserved_of_owner, id, to_number(time));
      if (!restored)
        return restored.error();
      result.restored += *restored;
      transaction change{*db_};
      auto mine = db_->run(sql::remove_dead_owner, id, to_number(time)) > 0;
      if (auto done = change.commit(restoring); !done)
        return done.error();
      if (mine) // nobody else has found it dead
        result.dead_owners.push_back(name.substr(name.rfind('/') + 1));
    }
    auto stale
      = restore(sql::reserved_before,
                to_number(time - options_.visibility_timeout), owner_);
    if (!stale)
      return stale.error();
    result.restored += *stale;
  }
  transaction change{*db_};
  result_rows{*db_, {}}.sweep(results_per_sweep);
  db_->run(sql::remove_idle_rates, to_number(now()));
  if (auto done = change.commit("sweep what has expired"); !done)
    return done.error();
  return result;
}

} // namespace umbel
