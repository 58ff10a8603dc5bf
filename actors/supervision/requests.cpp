// What can be asked of a running supervisor; see messages.hpp.
#include "actors/supervision/supervisor.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

namespace umbel {

namespace {

/// Detached actors are those that may spend long in one call.
bool is_detached(const caf::actor& x) {
  using caf::abstract_actor;
  return x
         && caf::actor_cast<abstract_actor*>(x)->getf(
             abstract_actor::is_detached_flag);
}

} // namespace

std::vector<child_info> supervisor_state::which_children() const {
  std::vector<child_info> result;
  for (auto& x : children)
    result.push_back({x.spec.id, static_cast<bool>(x.handle),
                      x.starts > 0 ? x.starts - 1 : 0, x.last_reason,
                      x.spec.type});
  return result;
}

child_counts supervisor_state::count_children() const {
  child_counts result;
  for (auto& x : children) {
    ++result.specs;
    result.active += x.handle ? 1 : 0;
    ++(x.spec.type == child_type::worker ? result.workers : result.supervisors);
  }
  return result;
}

description supervisor_state::own_description() const {
  std::vector<described_child> result;
  for (auto& x : children) {
    std::string state;
    if (x.phase == supervisor_state::phase::waiting)
      state = "waits for its restart";
    else if (x.phase != supervisor_state::phase::running)
      state = x.handle ? "stopping" : "stopped";
    if (x.starts > 1)
      state += fmt::format("{}restarted {} time{}, last because of {}",
                           state.empty() ? "" : ", ", x.starts - 1,
                           x.starts == 2 ? "" : "s", x.last_reason);
    auto kind = x.spec.type == child_type::supervisor ? "supervisor " : "";
    result.push_back({kind + x.spec.id, x.handle, state,
                      is_detached(x.handle)});
  }
  constexpr const char* names[] = {"one_for_one", "one_for_all",
                                   "rest_for_one"};
  return describe_self(
      self,
      fmt::format("{}{}", names[static_cast<size_t>(flags.strategy)],
                  is_stopping ? ", stopping" : ""),
      std::move(result));
}

void supervisor_state::start_child(child_spec spec) {
  auto promise = self->make_response_promise();
  if (is_stopping)
    return promise.deliver(make_error(supervision_errc::shutting_down));
  if (!add(std::move(spec)))
    return promise.deliver(make_error(supervision_errc::already_present));
  children.back().start_promise = promise;
  step();
}

void supervisor_state::terminate_child(const std::string& id) {
  auto promise = self->make_response_promise();
  auto* x = find(id);
  if (x == nullptr)
    return promise.deliver(make_error(supervision_errc::not_found));
  x->end_promises.emplace_back(std::move(promise));
  leave(*x, false);
  if (!x->handle)
    retire(*x);
  step();
}

caf::error supervisor_state::delete_child(const std::string& id) {
  auto* x = find(id);
  if (x == nullptr)
    return supervision_errc::not_found;
  if (x->phase != supervisor_state::phase::stopped)
    return supervision_errc::still_running;
  forget(*x);
  return caf::none;
}

} // namespace umbel
