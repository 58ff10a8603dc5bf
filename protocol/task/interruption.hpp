// The request to stop that a running task sees at its checkpoints.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace umbel {

/// A flag for one run at a time, which the run can wait for. `request` may come
/// from any thread and from a signal handler; it names the run, so that one
/// that comes late does not hit the next, and one that comes just before the
/// run begins is kept for it.
class interruption {
public:
  // -- the thread that runs tasks ---------------------------------------------

  /// A run begins. @pre job is not 0
  void begin(uint64_t job) noexcept {
    word_.store(idle(job));
    if (last_request_.load() == job)
      word_.fetch_or(1);
  }

  void end() noexcept {
    word_.store(0, std::memory_order_release);
    last_request_.store(0, std::memory_order_release);
  }

  /// Whether the run was asked to stop since the last time that this was true.
  bool consume() noexcept {
    return word_.load(std::memory_order_relaxed) & 1
           && word_.fetch_and(~uint32_t{1}, std::memory_order_acq_rel) & 1;
  }

  /// Sleeps until `deadline`, or until the run is asked to stop.
  void sleep_until(std::chrono::steady_clock::time_point deadline) noexcept;

  // -- everybody --------------------------------------------------------------

  /// Asks this run to stop. Does nothing if it has ended.
  void request(uint64_t job) noexcept;

private:
  /// The low bits of the job's number, then a bit that says "stop".
  static uint32_t idle(uint64_t job) noexcept {
    return static_cast<uint32_t>(job) << 1;
  }

  std::atomic<uint32_t> word_ = 0; ///< a futex
  /// In one order with `word_`: a request and a beginning that meet cannot miss
  /// each other.
  std::atomic<uint64_t> last_request_ = 0;
};

} // namespace umbel
