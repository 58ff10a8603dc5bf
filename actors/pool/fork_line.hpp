// fork line: the worker's end of the line to its fork server.
//
//  1. asks for children: each request carries the child's socket and names a
//     slot of shared memory, where the kernel writes the process id;
//  2. never waits for an answer. Who asked looks into the slot when it needs to
//     know; if no process comes of the request, the socket is at its end;
//  3. collects the children of those who did not wait for them.
//
// One line belongs to one fork server process and ends with it. All users of it
// are on the multiplexer's thread.
//
// Bounds: `fork_server::slots_max` requests that have no process yet; past that
// a child has to be started in another way.
#pragma once

#include "protocol/child/fork_request.hpp"
#include "protocol/error.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace umbel {

class fork_line : public std::enable_shared_from_this<fork_line> {
public:
  using time_point = std::chrono::steady_clock::time_point;

  // -- member types -------------------------------------------------------------

  /// A child that was asked for. Its holder has to collect the process from the
  /// moment when it has taken the id; until then the line does.
  class ticket {
  public:
    ticket(std::shared_ptr<fork_line> line, uint32_t slot);
    ticket(const ticket&) = delete;
    ticket& operator=(const ticket&) = delete;
    ~ticket();

    /// The process id, or nothing: there is none yet, or, if the socket is at
    /// its end, there will be none.
    std::optional<pid_t> take() noexcept;

    /// The child has said which tasks there are: others need not.
    void tasks_are_known() noexcept {
      line_->brief_ = true;
    }

  private:
    std::shared_ptr<fork_line> line_;
    uint32_t slot_;
    bool taken_ = false;
  };

  // -- constructors, destructors, and assignment operators ----------------------

  /// @param socket the worker's end; whoever made it closes it
  /// @param slots a file that holds them; mapped here, not kept
  /// @returns `unavailable` if the memory cannot be mapped.
  static expected<std::shared_ptr<fork_line>> make(int socket, int slots);

  ~fork_line();

  // -- for child workers --------------------------------------------------------

  /// Asks for a child. @param socket its end of its socket, to be closed by the
  /// caller @returns null if the line is closed or full
  std::shared_ptr<ticket> request(int socket, time_point now);

  // -- for the fork server's actor ----------------------------------------------

  /// Calls `f` at the first request after a `look` that returned false.
  void watch(std::function<void()> f) {
    wake_ = std::move(f);
  }

  /// Collects abandoned children. @returns whether a request is open
  bool look();

  /// Whether a request from before `since` has no process yet.
  bool is_stuck(time_point since) const;

  /// The process is gone: nothing more can be asked for, and what has come of
  /// the requests is certain.
  void close();

  /// Children that came of it.
  size_t num_started() const noexcept {
    return started_;
  }

private:
  fork_line(int socket, fork_server::slot* slots);

  void release(uint32_t slot, bool taken);
  void make_free(uint32_t slot);

  int socket_;
  fork_server::slot* slots_;
  bool closed_ = false;
  bool brief_ = false;
  bool watched_ = false;
  size_t started_ = 0;
  std::function<void()> wake_;
  std::vector<uint32_t> free_;
  std::vector<std::optional<time_point>> asked_; ///< for each slot in use
  std::vector<uint32_t> abandoned_;
};

/// Where the line of the moment is found; null while there is none.
struct fork_lines {
  std::shared_ptr<fork_line> current;
};

} // namespace umbel
