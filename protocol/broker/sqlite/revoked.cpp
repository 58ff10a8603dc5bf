// The part of sqlite_broker that keeps what was revoked.
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/statements.hpp"

namespace umbel {

using namespace sqlite;

expected<void>
sqlite_broker::remember_revoked(std::span<const revoked_task> tasks) {
  if (tasks.empty())
    return {};
  transaction change{*db_};
  for (auto& x : tasks)
    db_->run(sql::add_revoked, x.id.str(), to_number(x.time));
  // Looks at all of them: not at every time.
  if (static_cast<size_t>(db_->number(sql::count_revoked).value_or(0))
      > revoked_max)
    db_->run(sql::trim_revoked, to_number(now() - revoked_for),
             static_cast<int64_t>(revoked_max / 2));
  return change.commit("remember revoked tasks");
}

expected<std::vector<revoked_task>> sqlite_broker::revoked() {
  std::vector<revoked_task> result;
  {
    auto found = db_->select(sql::revoked_since, to_number(now() - revoked_for));
    while (found.next())
      result.push_back(
        {task_id{std::string{found.text(0)}},
         timestamp{std::chrono::microseconds{found.integer(1)}}});
  }
  if (auto done = db_->outcome("read revoked tasks"); !done)
    return done.error();
  return result;
}

} // namespace umbel
