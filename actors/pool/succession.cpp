// How the pool supervisor changes who has a place: it replaces children that
// have worked enough, and makes the pool larger and smaller.
#include "actors/pool/pool_supervisor.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

/// The child has finished so many jobs more and holds so much memory.
void pool_supervisor_state::note_work(uint64_t id, size_t finished,
                                      size_t memory) {
  if (!roles.contains(id))
    return;
  auto& x = roles[id];
  x.finished += finished;
  x.memory = memory;
  if (x.due.empty()) {
    x.due = reason_to_recycle(options.recycling, x);
    if (x.due.empty())
      return;
    if (jobs.give_notice(id))
      self->send(children.at(id).worker, child_recall{});
    want_successor(id);
  }
  if (is_far_over(options.recycling, memory))
    jobs.close(id);
  try_hand_over(id);
}

void pool_supervisor_state::replace_all() {
  for (auto& [id, x] : children) {
    auto& who = roles[id];
    // One that is starting, or due, is new or will be replaced in any case.
    if (who.as != roster::role::member || !who.ready || !who.due.empty())
      continue;
    who.due = "is replaced by remote control";
    if (jobs.give_notice(id))
      self->send(x.worker, child_recall{});
    who.wants_successor = true;
  }
  start_successors();
}

void pool_supervisor_state::want_successor(uint64_t id) {
  roles[id].wants_successor = true;
  start_successors();
}

/// While children die before they have worked, no more are started than the
/// backoff allows.
void pool_supervisor_state::start_successors() {
  while (!is_quiet && delayed_starts == 0) {
    auto of = roles.next_vacancy();
    if (!of)
      return;
    auto id = start_child();
    if (id == 0)
      return;
    roles.add_successor(id, *of);
  }
}

void pool_supervisor_state::try_hand_over(uint64_t id) {
  if (!jobs.is_idle(id))
    return;
  auto heir = roles.hand_over(id);
  if (!heir)
    return;
  spdlog::info("child {} {}; child {} takes over", id, roles[id].due, *heir);
  enroll(*heir);
  dismiss(id);
}

/// Lets a member work, if it is ready.
void pool_supervisor_state::enroll(uint64_t id) {
  auto max = options.recycling.max_tasks;
  if (roles[id].ready)
    jobs.add_child(id, max == 0 ? dispatcher::unlimited : max);
}

void pool_supervisor_state::on_memory(child_memory x) {
  if (!jobs.is_busy(x.child))
    return;
  auto& limits = options.recycling;
  if (auto why = reason_to_kill(limits, x.memory); !why.empty())
    self->send(children.at(x.child).worker, child_kill{std::move(why)});
  else if (will_be_recycled(limits, x.memory))
    want_successor(x.child);
}

void pool_supervisor_state::resize(resize_pool x) {
  options.size = x.size;
  if (!consumer)
    return; // which starts the children
  shrink();
  fill();
  // One more than there are: what the consumer fetches for it is the demand
  // that makes the pool grow.
  self->send(consumer, pool_capacity{std::min(x.size + 1, x.max)});
  report_load();
}

/// Only idle children go; those that work go as soon as they are idle.
void pool_supervisor_state::shrink() {
  if (roles.members() <= options.size)
    return;
  for (auto idle : jobs.idle_children()) {
    if (roles.members() <= options.size)
      return;
    auto successor = roles.retire(idle);
    dismiss(idle);
    if (successor)
      dismiss(*successor);
  }
}

} // namespace umbel
