#include "actors/pool/pool_supervisor.hpp"

#include "actors/actor_now.hpp"
#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using start_child_atom = caf::atom_constant<caf::atom("startchild")>;
using recall_atom = caf::atom_constant<caf::atom("recall")>;
using child_down_atom = caf::atom_constant<caf::atom("childdown")>;
using sample_atom = caf::atom_constant<caf::atom("sample")>;
using overdue_atom = caf::atom_constant<caf::atom("overdue")>;
using deadline_atom = caf::atom_constant<caf::atom("deadline")>;

} // namespace

pool_supervisor_state::~pool_supervisor_state() {
  // Not by links: CAF would kill the supervisor along with a child.
  for (auto& [id, x] : children)
    caf::anon_send_exit(x.worker, caf::exit_reason::kill);
}

// -- life of the children -------------------------------------------------------

/// @returns 0 if the start failed; then another is under way already.
uint64_t pool_supervisor_state::start_child() {
  auto id = ++last_child_id;
  auto worker = options.start(self, self, id);
  if (!worker) {
    replace(id, false, describe(worker.error()));
    return 0;
  }
  self->monitor(*worker);
  children[id].worker = std::move(*worker);
  set_deadline(id, options.alive);
  return id;
}

void pool_supervisor_state::fill() {
  while (!stopping && roles.members() + delayed_starts < options.size)
    if (auto id = start_child(); id != 0)
      roles.add_member(id);
}

void pool_supervisor_state::on_hello(child_hello& x) {
  auto i = children.find(x.child);
  if (i == children.end() || stopping)
    return;
  i->second.ready_since = actor_now(self);
  i->second.process = x.process;
  auto& who = roles[x.child];
  if (who.as != roster::role::leaving)
    i->second.deadline.reset();
  who.ready = true;
  if (who.as == roster::role::member)
    enroll(x.child);
  else if (who.as == roster::role::successor)
    try_hand_over(who.partner);
  if (tasks.empty() && !x.tasks.empty()) {
    tasks = std::move(x.tasks);
    self->send(consumer, pool_ready{tasks});
  }
  shrink();
  dispatch();
}

void pool_supervisor_state::on_failed(const child_failed& x) {
  // A library that was never loaded is the operator's mistake. One that breaks
  // later may be in the middle of being replaced: that is an ordinary crash.
  if (tasks.empty())
    shut_down(make_fatal(x.reason));
  else
    spdlog::error("child {} cannot load the task libraries: {}", x.child,
                  x.reason);
}

void pool_supervisor_state::on_exited(uint64_t id, const std::string& how,
                                      std::optional<uint64_t> seen) {
  auto i = children.find(id);
  if (i == children.end())
    return;
  auto since = i->second.ready_since;
  auto ended_by_us = i->second.end.has_value();
  auto unseen = seen ? i->second.given - *seen : 0;
  children.erase(i);
  auto gone = roles.remove(id);
  if (auto run = jobs.running(id))
    deadlines.end(run->id);
  auto left = jobs.remove_child(id, unseen);
  if (left.running) {
    on_ended(*left.running);
    self->send(consumer, job_lost{*left.running, how});
  }
  return_withdrawn();
  if (stopping) {
    if (children.empty())
      self->quit(stop_reason);
    return;
  }
  if (gone.heir) {
    spdlog::error("child {} ended with {}; child {} takes over", id, how,
                  *gone.heir);
    enroll(*gone.heir);
  } else if (gone.last.as != roster::role::leaving) {
    // A death while a job ran is that job's doing, and each job can do it only
    // once. A death before any work may go on for ever.
    auto had_worked = ended_by_us || left.running || gone.last.finished > 0
                      || (gone.last.ready
                          && actor_now(self) - since > options.backoff.max);
    replace(id, had_worked, how);
  }
  start_successors();
  dispatch();
}

void pool_supervisor_state::replace(uint64_t id, bool had_worked,
                                    const std::string& how) {
  if (is_quiet) { // there is nothing left for another to do
    spdlog::error("child {} ended with {}", id, how);
    return;
  }
  ++restarts;
  std::optional<caf::timespan> delay{caf::timespan{0}};
  if (!had_worked)
    delay = history.record(actor_now(self));
  if (!delay) {
    auto reason = fmt::format("children die before they have worked: {} within "
                              "{} s, the last with {}; the worker gives up",
                              options.intensity.max_restarts + 1,
                              options.intensity.period.count() / 1'000'000'000,
                              how);
    shut_down(make_fatal(std::move(reason)));
    return;
  }
  if (delay->count() == 0) {
    spdlog::error("child {} ended with {}; starting another (restart {})", id,
                  how, restarts);
    // Not `fill`, which leaves places to replacements that wait.
    if (roles.members() < options.size)
      if (auto next = start_child(); next != 0)
        roles.add_member(next);
    return;
  }
  spdlog::error("child {} ended with {}; starting another in {} ms (restart "
                "{})",
                id, how, delay->count() / 1'000'000, restarts);
  ++delayed_starts;
  self->delayed_send(self, *delay, start_child_atom::value);
}

void pool_supervisor_state::on_start_due() {
  --delayed_starts;
  // The pool may have been made smaller since the child died.
  fill();
  start_successors();
}

void pool_supervisor_state::on_down(const caf::actor_addr& source) {
  for (auto& [id, x] : children)
    if (x.worker.address() == source) {
      // Ordinarily `child_exited` came before and nothing is found here.
      on_exited(id, "a fault of its child worker");
      return;
    }
}

/// Out of the dispatcher at once: it gets nothing more to run.
void pool_supervisor_state::dismiss(uint64_t id) {
  jobs.remove_child(id);
  self->send(children.at(id).worker, child_stop{});
  set_deadline(id, options.grace);
}

void pool_supervisor_state::set_deadline(uint64_t id, caf::timespan time) {
  auto deadline = actor_now(self) + time;
  children.at(id).deadline = deadline;
  // One message for many children: hundreds may come and go in a second.
  if (next_look && *next_look <= deadline)
    return;
  next_look = deadline;
  self->delayed_send(self, time, overdue_atom::value);
}

void pool_supervisor_state::kill_overdue() {
  auto t = actor_now(self);
  next_look.reset();
  for (auto& [id, x] : children) {
    if (!x.deadline)
      continue;
    if (*x.deadline <= t) {
      auto told_to_end = roles[id].ready
                         || roles[id].as == roster::role::leaving;
      auto time = told_to_end ? options.grace : options.alive;
      spdlog::warn("child {} {} within {:g} s: killed", id,
                   told_to_end ? "was told to end and has not"
                               : "has not said that it is ready",
                   std::chrono::duration<double>{time}.count());
      x.deadline.reset();
      self->send(x.worker, child_kill{});
    } else if (!next_look || *x.deadline < *next_look) {
      next_look = x.deadline;
    }
  }
  if (next_look)
    self->delayed_send(self, *next_look - t, overdue_atom::value);
}

void pool_supervisor_state::shut_down(caf::error reason) {
  if (stopping)
    return;
  stopping = true;
  is_quiet = true;
  stop_reason = std::move(reason);
  if (children.empty()) {
    self->quit(stop_reason);
    return;
  }
  for (auto& [id, x] : children)
    self->send(x.worker, child_stop{});
  self->delayed_send(self, options.shutdown, deadline_atom::value);
}

// -- work -----------------------------------------------------------------------

void pool_supervisor_state::on_outcomes(child_outcomes& x) {
  pool_report report;
  auto t = actor_now(self);
  std::optional<uint64_t> begun;
  for (auto& done : x.outcomes) {
    begun = jobs.finish(x.child, done.job, done.runtime, t);
    on_ended(done.job);
  }
  report.outcomes = std::move(x.outcomes);
  if (begun)
    report.started.push_back(*begun);
  auto finished = report.outcomes.size();
  self->send(consumer, std::move(report));
  on_begun(x.child);
  continue_ending(x.child);
  note_work(x.child, finished, x.memory);
  shrink();
  dispatch();
}

void pool_supervisor_state::on_returned(const child_returned& x) {
  jobs.give_back(x.child, x.jobs);
  return_withdrawn();
  continue_ending(x.child);
  dispatch();
}

void pool_supervisor_state::on_take_back(size_t keep) {
  if (auto taken = jobs.take_back(keep); !taken.empty())
    self->send(consumer, jobs_returned{std::move(taken)});
}

void pool_supervisor_state::on_quiet() {
  is_quiet = true;
  for (auto& [id, x] : children)
    if (roles[id].ready)
      self->send(x.worker, child_recall{});
  on_take_back(0);
}

void pool_supervisor_state::on_kill(uint64_t job) {
  if (auto id = jobs.runner_of(job))
    self->send(children.at(*id).worker, child_kill{});
}

void pool_supervisor_state::dispatch() {
  if (is_quiet)
    return on_take_back(0);
  // A process that was stopped looks here before it knows that its lease is gone.
  if (until && actor_now(self) > *until)
    return;
  pool_report report;
  for (auto& [id, run] : jobs.assign(actor_now(self))) {
    auto first = run.front().id;
    auto& to = children.at(id);
    to.given += run.size();
    self->send(to.worker, child_jobs{std::move(run)});
    if (jobs.is_running(id, first)) {
      report.started.push_back(first);
      on_begun(id);
    }
    if (jobs.is_exhausted(id))
      want_successor(id);
  }
  if (!report.started.empty())
    self->send(consumer, std::move(report));
  if (!recall_pending && jobs.running_ahead()) {
    recall_pending = true;
    self->delayed_send(self, recall_interval, recall_atom::value);
  }
  if (!sample_pending && options.recycling.watches_memory()
      && jobs.num_busy() > 0) {
    sample_pending = true;
    self->delayed_send(self, sample_interval, sample_atom::value);
  }
  report_load();
}

void pool_supervisor_state::report_load() {
  pool_load load{options.size, jobs.num_busy(), jobs.num_waiting()};
  if (!autoscaler || load == reported_load)
    return;
  reported_load = load;
  self->send(autoscaler, load);
}

void pool_supervisor_state::recall_overdue() {
  recall_pending = false;
  for (auto id : jobs.overdue(actor_now(self)))
    self->send(children.at(id).worker, child_recall{});
  if (jobs.running_ahead()) {
    recall_pending = true;
    self->delayed_send(self, recall_interval, recall_atom::value);
  }
}

void pool_supervisor_state::sample() {
  sample_pending = false;
  for (auto& [id, x] : children)
    if (jobs.is_busy(id))
      self->send(x.worker, child_sample{});
  if (jobs.num_busy() > 0) {
    sample_pending = true;
    self->delayed_send(self, sample_interval, sample_atom::value);
  }
}

// -- behavior -------------------------------------------------------------------

caf::behavior pool_supervisor(caf::stateful_actor<pool_supervisor_state>* self,
                              pool_options options) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.history = restart_history{st.options.intensity, st.options.backoff};
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.shut_down(std::move(x.reason));
  });
  // The order of a down message and ordinary ones is not fixed: go through the
  // mailbox, so that the last outcomes of a child come first.
  self->set_down_handler([self](caf::down_msg& x) {
    self->send(self, child_down_atom::value, x.source);
  });
  return {
    [self](attach_consumer& x) {
      auto& st = self->state;
      st.consumer = std::move(x.consumer);
      st.fill();
    },
    [self](attach_autoscaler& x) {
      self->state.autoscaler = std::move(x.autoscaler);
      self->state.report_load();
    },
    [self](resize_pool x) {
      if (!self->state.is_quiet)
        self->state.resize(x);
    },
    [self](run_jobs& x) {
      self->state.jobs.enqueue(std::move(x.jobs));
      self->state.dispatch();
    },
    [self](take_back x) { self->state.on_take_back(x.keep); },
    [self](quiet) { self->state.on_quiet(); },
    [self](work_until x) {
      self->state.until = x.time;
      self->state.dispatch();
    },
    [self](kill_job x) { self->state.on_kill(x.job); },
    [self](const withdraw_jobs& x) { self->state.on_withdraw(x); },
    [self](child_outcomes& x) { self->state.on_outcomes(x); },
    [self](child_state& x) {
      self->send(self->state.consumer, job_state{x.job, std::move(x.document)});
    },
    [self](child_event& x) {
      self->send(self->state.consumer, job_event{x.job, std::move(x.type),
                                                 std::move(x.fields)});
    },
    [self](const child_returned& x) { self->state.on_returned(x); },
    [self](child_hello& x) { self->state.on_hello(x); },
    [self](const child_failed& x) { self->state.on_failed(x); },
    [self](const child_exited& x) {
      self->state.on_exited(x.child, x.how, x.seen);
    },
    [self](describe_atom) { return self->state.own_description(); },
    [self](list_processes) { return self->state.info(); },
    [self](grow_pool x) { return self->state.on_grow(x); },
    [self](replace_children) {
      self->state.replace_all();
      return self->state.info();
    },
    [self](child_down_atom, const caf::actor_addr& source) {
      self->state.on_down(source);
    },
    [self](child_memory x) { self->state.on_memory(x); },
    [self](start_child_atom) { self->state.on_start_due(); },
    [self](sample_atom) { self->state.sample(); },
    [self](overdue_atom) { self->state.kill_overdue(); },
    [self](pool_supervisor_state::limits_atom, int64_t at) {
      auto& st = self->state;
      if (st.limits_check
          && st.limits_check->time_since_epoch().count() == at)
        st.check_limits();
    },
    [self](pool_supervisor_state::signal_atom, uint64_t child, uint64_t job) {
      self->state.signal_unless_sent(child, job);
    },
    [self](recall_atom) { self->state.recall_overdue(); },
    [self](deadline_atom) {
      for (auto& [id, child] : self->state.children)
        self->send(child.worker, child_kill{});
    },
  };
}

} // namespace umbel
