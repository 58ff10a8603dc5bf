#include "actors/pool/thread_worker.hpp"

#include "actors/pool/pool_sink.hpp"
#include "protocol/task/library.hpp"
#include "protocol/task/runner.hpp"

#include <caf/all.hpp>

namespace umbel {

namespace {

using work_atom = caf::atom_constant<caf::atom("work")>;

struct runner_state {
  static inline const char* name = "runner";

};

/// Runs what is in the queue whenever it is woken.
caf::behavior runner(caf::stateful_actor<runner_state>* self, caf::actor pool,
                     uint64_t child, std::shared_ptr<job_queue> jobs,
                     std::shared_ptr<task_runner> tasks) {
  return {
    [=](work_atom) {
      pool_sink sink{pool, child};
      while (auto next = jobs->pop()) {
        child_outcomes done{child, {}};
        done.outcomes.push_back(tasks->run(next->id, *next->payload, sink));
        self->send(pool, std::move(done));
      }
    },
  };
}

std::vector<uint64_t> ids_of(const std::vector<job>& jobs) {
  std::vector<uint64_t> result;
  for (auto& x : jobs)
    result.push_back(x.id);
  return result;
}

} // namespace

void thread_worker_state::end(const std::string& how) {
  // The runner ends when its current task does.
  self->send_exit(runner, caf::exit_reason::user_shutdown);
  self->send(pool, child_exited{id, how});
  self->quit();
}

caf::behavior thread_worker(caf::stateful_actor<thread_worker_state>* self,
                            caf::actor pool, uint64_t id,
                            std::shared_ptr<const registry> tasks,
                            runner_settings settings,
                            std::shared_ptr<task_caller> calls) {
  auto& st = self->state;
  st.self = self;
  st.id = id;
  st.pool = pool;
  // What the runner refers to must live as long as it, and it may outlive this
  // actor.
  st.tasks = std::shared_ptr<task_runner>{
    new task_runner{*tasks, std::move(settings), calls.get()},
    [tasks, calls](task_runner* x) { delete x; }};
  st.runner = self->spawn<caf::detached>(runner, pool, id, st.jobs, st.tasks);
  self->send(pool, child_hello{id, tasks->options()});
  return {
    [self](describe_atom) { return describe_self(self, "a thread"); },
    [self](const child_jobs& x) {
      if (self->state.jobs->push(x.jobs))
        self->send(self->state.runner, work_atom::value);
    },
    [self](child_recall) {
      auto& st = self->state;
      self->send(st.pool,
                 child_returned{st.id, ids_of(st.jobs->take_all())});
    },
    [self](child_stop) {
      auto& st = self->state;
      self->send(st.pool,
                 child_returned{st.id, ids_of(st.jobs->take_all())});
      st.end("exit status 0");
    },
    [self](child_interrupt x) { self->state.tasks->interrupt(x.job); },
    [self](const child_kill&) { self->state.end("its task given up"); },
  };
}

expected<child_factory>
thread_children(const std::vector<std::string>& libraries,
                runner_settings settings, std::shared_ptr<task_caller> calls) {
  auto tasks = load_tasks(libraries, settings, log_complaint);
  if (!tasks)
    return tasks.error();
  return child_factory{
    [tasks = *tasks, settings, calls](caf::local_actor* parent,
                                      const caf::actor& pool, uint64_t id)
      -> caf::expected<caf::actor> {
      return parent->spawn(thread_worker, pool, id, tasks, settings, calls);
    }};
}

} // namespace umbel
