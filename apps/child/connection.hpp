// connection: the child's end of its socket to the parent.
//
//  1. reads frames and keeps the queue of jobs that have not begun;
//  2. answers recall and stop, and passes interrupts on, also while a job runs;
//  3. sends outcomes at once: the parent takes the oldest job without an
//  outcome
//     for the one that runs, so an outcome must be out before the next job
//     begins;
//  4. has other tasks run for the running one, and asks for it, by way of
//     the parent;
//  5. ends the process when the parent is gone.
//
// Two threads use it, and one of them is nearly always asleep. The main thread
// reads the socket itself between short jobs, so a message costs no change of
// threads. Only when a job runs longer than a `tick` does the watcher read in
// its place, until the main thread is back.
#pragma once

#include "protocol/child/frames.hpp"
#include "protocol/task/state_sink.hpp"
#include "protocol/task/task_caller.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

class connection : public state_sink, public task_caller {
public:
  struct queued_job {
    uint64_t id = 0;
    std::string payload;
  };

  /// How long a job runs before the watcher looks at the socket in its place.
  /// Shorter costs wake-ups under load, longer delays the answer to a recall.
  static constexpr auto tick = std::chrono::milliseconds{1};

  /// @param socket a connected stream socket; closed with the process
  explicit connection(int socket);

  // -- main thread ------------------------------------------------------------

  /// Waits for the first frame, which must be this one.
  frame::configure receive_configure();

  /// Starts the watcher. Call it once, before the first `next`, and not before
  /// this process is the child: a fork takes no thread along.
  /// @param interrupt asks the run of this job to end; must not block
  void start_watcher(std::function<void(uint64_t)> interrupt);

  /// Waits for the next job and takes it off the queue; nothing after a stop.
  std::optional<queued_job> next();

  /// Reports the end of the job that `next` returned last.
  void finish(outcome x);

  /// Asks the run to end, whichever it is. For signal handlers.
  void interrupt_running() noexcept;

  // -- any thread -------------------------------------------------------------

  void send(const frame::from_child& x);

  /// Sends an encoded frame.
  void send_bytes(std::string_view frame);

  void state(uint64_t job, std::string document) override;

  void event(uint64_t job, std::string type, std::string fields) override;

  void log(uint64_t job, uint8_t level, std::string_view text) override;

  uint64_t call(task_id id, outgoing_message message, handler f) override;

  void forget(uint64_t number) override;

  void ask(question x, answer_handler f) override;

private:
  void send_locked(const frame::from_child& x);
  void write_out(std::string_view rest);

  void receive();
  void handle(frame::configure x);
  void handle(const frame::job& x);
  void handle(frame::recall);
  void handle(frame::stop);
  void handle(frame::interrupt x);
  void handle(frame::result x);
  void handle(frame::answer x);
  void wait_for_input();
  void set_timer();
  void watch();
  void on_tick();

  const int socket_;
  int wake_ = -1; ///< an eventfd by which a signal handler wakes the watcher
  int timer_ = -1;
  std::function<void(uint64_t)> interrupt_;

  std::mutex mutex_;        // guards everything below
  std::vector<char> input_; ///< what was read and not decoded yet
  size_t input_size_ = 0;
  std::string output_;
  std::optional<frame::configure> configure_;
  std::deque<queued_job> queue_;
  bool stopping_ = false;
  std::unordered_map<uint64_t, handler> calls_; ///< that wait for a result
  uint64_t last_call_ = 0;
  std::unordered_map<uint64_t, answer_handler> questions_; ///< not answered yet
  uint64_t last_question_ = 0;
  uint64_t running_ = 0;      ///< the job that runs, 0: none
  uint64_t seen_running_ = 0; ///< the one that ran at the last tick
  bool timer_set_ = false;
};

} // namespace umbel
