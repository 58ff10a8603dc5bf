// cooperative slot: room for one task among many on one thread.
//
//  1. takes jobs off its queue, one at a time, and runs them;
//  2. while a coroutine waits, the thread is free for the other slots;
//  3. reports outcomes to the pool supervisor itself.
//
// Its cooperative worker speaks for it, from other threads; what is not marked
// so belongs to the thread of the runtime.
#pragma once

#include "actors/pool/job_queue.hpp"
#include "actors/pool/pool_sink.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/runtime.hpp"

#include <caf/actor.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace umbel {

class cooperative_slot : public std::enable_shared_from_this<cooperative_slot> {
public:
  /// A plain function that holds the thread for longer than this is named in
  /// the log.
  static constexpr auto patience = std::chrono::seconds{1};

  /// @param where outlives the slot, and so does `tasks`
  cooperative_slot(runtime& where, const registry& tasks,
                   runner_settings settings, caf::actor pool, uint64_t child);

  // -- any thread ---------------------------------------------------------------

  void push(const std::vector<job>& jobs);

  /// Takes off what has not begun. @returns its numbers
  std::vector<uint64_t> take_all();

  /// Calls `f`, on the runtime's thread, when nothing runs.
  void when_idle(std::function<void()> f);

  /// Asks the run of this job to end.
  void interrupt(uint64_t job) {
    runner_.interrupt(job);
  }

  /// Gives up what runs; nothing more begins. A coroutine is told where it
  /// waits, a plain function at its next checkpoint.
  void give_up();

private:
  void run();
  void end_run(outcome x);

  runtime& where_;
  caf::actor pool_;
  uint64_t child_;
  job_queue jobs_;
  pool_sink sink_;
  task_runner runner_;
  std::atomic<uint64_t> running_ = 0; ///< the job that runs, or 0
  bool closed_ = false;
  std::function<void()> on_idle_;
};

} // namespace umbel
