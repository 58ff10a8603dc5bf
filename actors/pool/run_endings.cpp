// How the pool supervisor ends runs: at their time limits, and when they are
// revoked.
//
// At its soft limit a run is asked to end. At its hard limit, or when it is
// terminated, its child is signalled, and nobody else may be hit: a child that
// holds jobs ahead first gives them back, and then, unless the run has ended
// meanwhile, it is signalled. It gets nothing more to run, and whatever becomes
// of the run, a child that was signalled is not used again.
#include "actors/pool/pool_supervisor.hpp"

#include "actors/actor_now.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>

namespace umbel {

// -- time limits ----------------------------------------------------------------

void pool_supervisor_state::on_begun(uint64_t id) {
  auto run = jobs.running(id);
  if (!run)
    return;
  if (run->limits.any()) {
    deadlines.begin(run->id, run->limits, actor_now(self));
    watch_limits();
  }
  if (auto i = withdrawn.find(run->id); i != withdrawn.end()) {
    auto signal = i->second;
    withdrawn.erase(i);
    if (signal)
      end_run(id, run->id, *signal);
  }
}

void pool_supervisor_state::on_ended(uint64_t job) {
  deadlines.end(job);
  if (!withdrawn.empty())
    withdrawn.erase(job);
}

void pool_supervisor_state::watch_limits() {
  auto next = deadlines.next();
  if (!next)
    return;
  // Many short limits and a long one would otherwise pile up delayed messages.
  auto t = actor_now(self);
  auto at = std::clamp(*next, t, t + limits_interval);
  if (limits_check && *limits_check <= at)
    return;
  limits_check = at;
  self->delayed_send(self, at - t, limits_atom::value,
                     at.time_since_epoch().count());
}

void pool_supervisor_state::check_limits() {
  limits_check.reset();
  for (auto& x : deadlines.take_due(actor_now(self))) {
    auto id = jobs.runner_of(x.job);
    if (!id)
      continue;
    self->send(consumer, time_limit_over{x.job, x.hard, x.limit});
    if (x.hard)
      end_run(*id, x.job, SIGKILL);
    else
      self->send(children.at(*id).worker, child_interrupt{x.job});
  }
  watch_limits();
}

// -- signals --------------------------------------------------------------------

void pool_supervisor_state::end_run(uint64_t id, uint64_t job, int signal) {
  auto& x = children.at(id);
  if (!options.can_kill) {
    self->send(x.worker, child_interrupt{job});
    return;
  }
  jobs.close(id);
  x.end = ending{job, signal, false};
  if (!jobs.runs_ahead(id)) {
    send_signal(id);
    return;
  }
  self->send(x.worker, child_recall{});
  // It may be stopped or stuck, so that it cannot answer. It is then at this
  // job all the same.
  self->delayed_send(self, recall_grace, signal_atom::value, id, job);
}

void pool_supervisor_state::send_signal(uint64_t id) {
  auto& x = children.at(id);
  x.end->sent = true;
  if (x.end->signal == SIGKILL) {
    self->send(x.worker, child_kill{});
    return;
  }
  self->send(x.worker, child_signal{x.end->signal});
  set_deadline(id, options.grace);
}

/// The child has given back jobs, or ended a run.
void pool_supervisor_state::continue_ending(uint64_t id) {
  auto i = children.find(id);
  if (i == children.end() || !i->second.end)
    return;
  auto& x = i->second;
  auto still_runs = jobs.is_running(id, x.end->job);
  if (!x.end->sent && still_runs && !jobs.runs_ahead(id)) {
    send_signal(id);
  } else if (!x.end->sent && !still_runs) {
    x.end.reset();
    jobs.reopen(id);
  } else if (x.end->sent && !still_runs) {
    // It may be hit at any moment from now on.
    self->send(x.worker, child_kill{});
  }
}

void pool_supervisor_state::signal_unless_sent(uint64_t id, uint64_t job) {
  auto i = children.find(id);
  if (i != children.end() && i->second.end && !i->second.end->sent
      && i->second.end->job == job && jobs.is_running(id, job))
    send_signal(id);
}

// -- revoked jobs ---------------------------------------------------------------

void pool_supervisor_state::on_withdraw(const withdraw_jobs& x) {
  for (auto job : x.jobs) {
    if (auto id = jobs.runner_of(job)) {
      if (!x.signal)
        continue;
      withdrawn[job] = x.signal; // the child may yet say that it had not begun
      end_run(*id, job, *x.signal);
    } else if (auto id = jobs.holder_of(job)) {
      withdrawn[job] = x.signal;
      self->send(children.at(*id).worker, child_recall{});
    } else if (jobs.withdraw(job)) {
      self->send(consumer, jobs_returned{{job}});
    }
  }
}

/// Gives back those that no child holds any more.
void pool_supervisor_state::return_withdrawn() {
  jobs_returned back;
  for (auto& [job, signal] : withdrawn)
    if (jobs.withdraw(job))
      back.jobs.push_back(job);
  for (auto job : back.jobs)
    withdrawn.erase(job);
  if (!back.jobs.empty())
    self->send(consumer, std::move(back));
}

} // namespace umbel
