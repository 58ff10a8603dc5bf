#include "actors/pool/cooperative_worker.hpp"

#include "actors/pool/pool_sink.hpp"
#include "actors/pool/runtime_thread.hpp"
#include "protocol/task/library.hpp"

#include <caf/all.hpp>

namespace umbel {

namespace {

using idle_atom = caf::atom_constant<caf::atom("idle")>;

/// What the children of one pool share.
struct shared_parts {
  shared_parts(std::shared_ptr<const registry> tasks,
               std::shared_ptr<task_caller> calls)
    : tasks(std::move(tasks)), calls(std::move(calls)), thread(*this->calls) {
  }

  // Both outlive what the thread runs.
  std::shared_ptr<const registry> tasks;
  std::shared_ptr<task_caller> calls;
  runtime_thread thread;
};

} // namespace

cooperative_worker_state::~cooperative_worker_state() {
  if (slot)
    slot->give_up();
}

void cooperative_worker_state::give_back() {
  self->send(pool, child_returned{id, slot->take_all()});
}

void cooperative_worker_state::end(const std::string& how) {
  self->send(pool, child_exited{id, how});
  self->quit();
}

caf::behavior
cooperative_worker(caf::stateful_actor<cooperative_worker_state>* self,
                   caf::actor pool, uint64_t id,
                   std::shared_ptr<cooperative_slot> slot,
                   std::vector<task_options> tasks) {
  auto& st = self->state;
  st.self = self;
  st.id = id;
  st.pool = pool;
  st.slot = std::move(slot);
  self->send(pool, child_hello{id, std::move(tasks)});
  return {
    [self](describe_atom) { return describe_self(self, "a coroutine"); },
    [self](const child_jobs& x) { self->state.slot->push(x.jobs); },
    [self](child_recall) { self->state.give_back(); },
    [self](child_stop) {
      self->state.give_back();
      self->state.slot->when_idle([hdl = caf::actor{self}] {
        caf::anon_send(hdl, idle_atom::value);
      });
    },
    [self](idle_atom) { self->state.end("exit status 0"); },
    [self](child_interrupt x) { self->state.slot->interrupt(x.job); },
    [self](child_signal) { self->state.end("its task given up"); },
    [self](child_kill) { self->state.end("its task given up"); },
  };
}

expected<child_factory>
cooperative_children(const std::vector<std::string>& libraries,
                     runner_settings settings,
                     std::shared_ptr<task_caller> calls) {
  auto tasks = load_tasks(libraries, settings, log_complaint);
  if (!tasks)
    return tasks.error();
  auto shared = std::make_shared<shared_parts>(std::move(*tasks),
                                               std::move(calls));
  return child_factory{
    [=](caf::local_actor* parent, const caf::actor& pool,
        uint64_t id) -> caf::expected<caf::actor> {
      auto& tasks = *shared->tasks;
      auto slot = std::make_shared<cooperative_slot>(shared->thread.get(),
                                                     tasks, settings, pool, id);
      return parent->spawn(cooperative_worker, pool, id, std::move(slot),
                           id == 1 ? tasks.options()
                                   : std::vector<task_options>{});
    }};
}

} // namespace umbel
