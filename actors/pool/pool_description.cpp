// What the pool supervisor says of itself and of its children.
#include "actors/pool/pool_supervisor.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <unistd.h>

namespace umbel {

namespace {

/// A cooperative pool has thousands of children, all alike.
constexpr size_t described_max = 100;

} // namespace

std::string pool_supervisor_state::state_of(uint64_t id) const {
  auto& role = roles[id];
  auto at = jobs.occupation_of(id);
  std::string result;
  if (!at.task.empty()) {
    auto took = self->clock().now() - at.since;
    result = fmt::format("runs {} for {}", at.task,
                         readable(std::chrono::duration<double>(took).count()));
  } else {
    result = role.ready ? "idle" : "starting";
  }
  if (at.ahead > 0)
    result += fmt::format(", {} more to run", at.ahead);
  if (role.as == roster::role::leaving)
    result += ", leaving";
  else if (role.as == roster::role::successor)
    result += fmt::format(", to succeed child {}", role.partner);
  else if (!role.due.empty())
    result += ", to be replaced: " + role.due;
  return result + fmt::format(", {} tasks done", role.finished);
}

pool_info pool_supervisor_state::info() const {
  pool_info result;
  result.size = options.size;
  result.restarts = restarts;
  auto process_of = [](const child& x) {
    return x.process != 0 ? x.process : int64_t{getpid()};
  };
  for (auto& [id, x] : children) {
    if (!roles[id].ready)
      continue;
    auto process = process_of(x);
    if (x.process != 0)
      result.finished.push_back(roles[id].finished);
    if (x.process != 0 || result.processes.empty())
      result.processes.push_back(process);
    if (auto* runs = jobs.running(id))
      result.running.emplace(runs->id, process);
  }
  return result;
}

caf::result<pool_info> pool_supervisor_state::on_grow(grow_pool x) {
  auto max = static_cast<int64_t>(pool_size_max);
  auto size = static_cast<int64_t>(options.size)
              + std::clamp(x.by, -2 * max, 2 * max);
  if (size < 1 || size > max)
    return caf::make_error(caf::sec::invalid_argument,
                           fmt::format("the pool has {} children and may have "
                                       "1 to {}",
                                       options.size, max));
  if (!is_quiet)
    resize({static_cast<size_t>(size), static_cast<size_t>(size)});
  return info();
}

description pool_supervisor_state::own_description() const {
  std::vector<described_child> result;
  for (auto& [id, x] : children) {
    if (result.size() == described_max)
      break;
    result.push_back({fmt::format("child {}", id), x.worker, state_of(id),
                      false});
  }
  auto state = fmt::format("{} of {} children busy, {} jobs wait, {} restarts{}",
                           jobs.num_busy(), options.size, jobs.num_waiting(),
                           restarts,
                           stopping   ? ", stopping"
                           : is_quiet ? ", draining"
                                      : "");
  if (children.size() > result.size())
    state += fmt::format(", the first {} of {} children:", result.size(),
                         children.size());
  return describe_self(self, std::move(state), std::move(result));
}

} // namespace umbel
