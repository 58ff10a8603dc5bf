#include "actors/pool/cooperative_slot.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

cooperative_slot::cooperative_slot(runtime& where, const registry& tasks,
                                   runner_settings settings, caf::actor pool,
                                   uint64_t child)
  : where_(where), pool_(pool), child_(child), sink_(std::move(pool), child),
    runner_(tasks, std::move(settings), where) {
}

// -- any thread -----------------------------------------------------------------

void cooperative_slot::push(const std::vector<job>& jobs) {
  if (jobs_.push(jobs))
    where_.post([self = shared_from_this()] { self->run(); });
}

std::vector<uint64_t> cooperative_slot::take_all() {
  std::vector<uint64_t> result;
  for (auto& x : jobs_.take_all())
    result.push_back(x.id);
  return result;
}

void cooperative_slot::when_idle(std::function<void()> f) {
  where_.post([self = shared_from_this(), f = std::move(f)] {
    if (self->running_ == 0)
      f();
    else
      self->on_idle_ = f;
  });
}

void cooperative_slot::give_up() {
  where_.post([self = shared_from_this()] {
    self->closed_ = true;
    self->runner_.cancel();
  });
  if (auto job = running_.load())
    runner_.interrupt(job);
}

// -- the runtime's thread -------------------------------------------------------

void cooperative_slot::run() {
  while (running_ == 0 && !closed_) {
    auto next = jobs_.pop();
    if (!next)
      return;
    running_ = next->id;
    auto begin = where_.now();
    auto result = runner_.start(next->id, *next->payload, sink_,
                                [this](outcome x) {
                                  end_run(std::move(x));
                                  run();
                                });
    if (auto took = where_.now() - begin; took > patience)
      spdlog::warn("task {} held up all others of this pool for {:.1f} s: it "
                   "should wait with co_await, or run with -P prefork",
                   next->task, std::chrono::duration<double>{took}.count());
    if (result)
      end_run(std::move(*result));
  }
}

void cooperative_slot::end_run(outcome x) {
  running_ = 0;
  child_outcomes done{child_, {}};
  done.outcomes.push_back(std::move(x));
  caf::anon_send(pool_, std::move(done));
  if (auto f = std::exchange(on_idle_, nullptr))
    f();
}

} // namespace umbel
