#include "actors/pool/pool_supervisor.hpp"

#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using start_child_atom = caf::atom_constant<caf::atom("startchild")>;
using recall_atom = caf::atom_constant<caf::atom("recall")>;
using child_down_atom = caf::atom_constant<caf::atom("childdown")>;
using deadline_atom = caf::atom_constant<caf::atom("deadline")>;

auto now(caf::event_based_actor* self) {
  // The actor clock, so that tests can simulate it.
  return std::chrono::time_point_cast<std::chrono::steady_clock::duration>(
    self->clock().now());
}

} // namespace

pool_supervisor_state::~pool_supervisor_state() {
  // Not by links: CAF would kill the supervisor along with a child.
  for (auto& [id, x] : children)
    caf::anon_send_exit(x.worker, caf::exit_reason::kill);
}

// -- life of the children -------------------------------------------------------

void pool_supervisor_state::start_child() {
  auto id = ++last_child_id;
  auto worker = options.start(self, self, id);
  if (!worker) {
    on_exited(id, describe(worker.error()));
    return;
  }
  self->monitor(*worker);
  children.emplace(id, child{*worker, false});
}

void pool_supervisor_state::on_hello(child_hello& x) {
  auto i = children.find(x.child);
  if (i == children.end() || stopping)
    return;
  i->second.ready = true;
  jobs.add_child(x.child);
  if (tasks.empty()) {
    tasks = std::move(x.tasks);
    self->send(consumer, pool_ready{tasks});
  }
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

void pool_supervisor_state::on_exited(uint64_t id, const std::string& how) {
  auto retired = false;
  if (auto i = children.find(id); i != children.end()) {
    retired = i->second.retiring;
    children.erase(i);
  }
  auto left = jobs.remove_child(id);
  if (left.running)
    self->send(consumer, job_lost{*left.running, how});
  if (stopping) {
    if (children.empty())
      self->quit(stop_reason);
    return;
  }
  if (retired)
    return;
  ++restarts;
  // A death while a job ran is that job's doing, and each job can do it only
  // once: replace the child at once. A death without a job may go on for ever.
  std::optional<caf::timespan> delay{caf::timespan{0}};
  if (!left.running)
    delay = history.record(now(self));
  if (!delay) {
    auto reason = fmt::format("{} children died within {} s, the last with {}",
                              options.intensity.max_restarts + 1,
                              options.intensity.period.count() / 1'000'000'000,
                              how);
    shut_down(caf::make_error(supervision_errc::intensity_exceeded, reason));
    return;
  }
  if (delay->count() == 0)
    spdlog::error("child {} ended with {}; starting another (restart {})", id,
                  how, restarts);
  else
    spdlog::error("child {} ended with {}; starting another in {} ms (restart "
                  "{})",
                  id, how, delay->count() / 1'000'000, restarts);
  if (delay->count() == 0)
    start_child();
  else
    self->delayed_send(self, *delay, start_child_atom::value);
  dispatch();
}

void pool_supervisor_state::on_down(const caf::actor_addr& source) {
  for (auto& [id, x] : children)
    if (x.worker.address() == source) {
      // Ordinarily `child_exited` came before and nothing is found here.
      on_exited(id, "a fault of its child worker");
      return;
    }
}

void pool_supervisor_state::resize(size_t size) {
  for (auto idle : jobs.idle_children()) {
    if (options.size <= size)
      break;
    --options.size;
    // Out of the dispatcher at once: it gets nothing more to run.
    jobs.remove_child(idle);
    children.at(idle).retiring = true;
    self->send(children.at(idle).worker, child_stop{});
  }
  for (; options.size < size; ++options.size)
    start_child();
  report_load();
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
  auto t = now(self);
  std::optional<uint64_t> begun;
  for (auto& done : x.outcomes) {
    begun = jobs.finish(x.child, done.job, done.runtime, t);
  }
  report.outcomes = std::move(x.outcomes);
  if (begun)
    report.started.push_back(*begun);
  self->send(consumer, std::move(report));
  dispatch();
}

void pool_supervisor_state::on_returned(const child_returned& x) {
  jobs.give_back(x.child, x.jobs);
  dispatch();
}

void pool_supervisor_state::on_take_back(size_t keep) {
  if (auto taken = jobs.take_back(keep); !taken.empty())
    self->send(consumer, jobs_returned{std::move(taken)});
}

void pool_supervisor_state::on_quiet() {
  is_quiet = true;
  for (auto& [id, x] : children)
    if (x.ready)
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
  pool_report report;
  for (auto& [id, run] : jobs.assign(now(self))) {
    if (jobs.is_running(id, run.front().id))
      report.started.push_back(run.front().id);
    self->send(children.at(id).worker, child_jobs{std::move(run)});
  }
  if (!report.started.empty())
    self->send(consumer, std::move(report));
  if (!recall_pending && jobs.running_ahead()) {
    recall_pending = true;
    self->delayed_send(self, recall_interval, recall_atom::value);
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
  for (auto id : jobs.overdue(now(self)))
    self->send(children.at(id).worker, child_recall{});
  if (jobs.running_ahead()) {
    recall_pending = true;
    self->delayed_send(self, recall_interval, recall_atom::value);
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
      for (size_t i = 0; i < st.options.size; ++i)
        st.start_child();
    },
    [self](attach_autoscaler& x) {
      self->state.autoscaler = std::move(x.autoscaler);
      self->state.report_load();
    },
    [self](resize_pool x) {
      if (!self->state.is_quiet)
        self->state.resize(x.size);
    },
    [self](run_jobs& x) {
      self->state.jobs.enqueue(std::move(x.jobs));
      self->state.dispatch();
    },
    [self](take_back x) { self->state.on_take_back(x.keep); },
    [self](quiet) { self->state.on_quiet(); },
    [self](kill_job x) { self->state.on_kill(x.job); },
    [self](child_outcomes& x) { self->state.on_outcomes(x); },
    [self](child_state& x) {
      self->send(self->state.consumer, job_state{x.job, std::move(x.document)});
    },
    [self](const child_returned& x) { self->state.on_returned(x); },
    [self](child_hello& x) { self->state.on_hello(x); },
    [self](const child_failed& x) { self->state.on_failed(x); },
    [self](const child_exited& x) { self->state.on_exited(x.child, x.how); },
    [self](child_down_atom, const caf::actor_addr& source) {
      self->state.on_down(source);
    },
    [self](start_child_atom) {
      auto& st = self->state;
      // The pool may have been made smaller since the child died.
      auto staying = std::count_if(
        st.children.begin(), st.children.end(),
        [](auto& kv) { return !kv.second.retiring; });
      if (!st.stopping && static_cast<size_t>(staying) < st.options.size)
        st.start_child();
    },
    [self](recall_atom) { self->state.recall_overdue(); },
    [self](deadline_atom) {
      for (auto& [id, child] : self->state.children)
        self->send(child.worker, child_kill{});
    },
  };
}

} // namespace umbel
