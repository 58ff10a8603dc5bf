// child worker: owns one child process.
//
//  1. sends it the configuration, then jobs, recalls, interrupts, signals and the
//     stop;
//  2. cuts what it says into frames and tells the pool supervisor;
//  3. looks at its resident memory, if that is limited;
//  4. when its socket closes, collects the process and ends with how it ended.
//
// The process comes from the fork server, or by exec if there is none, or if it
// ends before it has made the process.
//
// A CAF broker on the multiplexer's thread: it copies bytes and decides
// nothing. The pool supervisor starts it, monitors it and replaces it.
//
// Bounds: `unsent_max` bytes wait for a child that does not read; past that the
// child is taken for stuck and killed.
#pragma once

#include "actors/pool/fork_line.hpp"
#include "actors/pool/memory_gauge.hpp"
#include "actors/pool/messages.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "protocol/task/task_caller.hpp"

#include <caf/io/broker.hpp>
#include <caf/stateful_actor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace umbel {

struct child_process {
  pid_t pid = -1;  ///< -1: see the ticket
  int socket = -1; ///< the parent's end
  std::shared_ptr<fork_line::ticket> ticket; ///< null once the id is known
};

/// Where child processes come from.
struct child_source {
  std::string executable;
  std::string configure_frame;
  std::shared_ptr<fork_lines> lines; ///< null: always by exec

  /// Asks the fork server, or starts the process if there is none.
  expected<child_process> start(fork_line::time_point now) const;

  /// A child started by exec has to be configured.
  expected<child_process> start_by_exec() const;
};

struct child_worker_state {
  static inline const char* name = "child_worker";

  static constexpr size_t unsent_max = 512u << 20;

  uint64_t id = 0;
  std::shared_ptr<const child_source> source;
  child_process process;
  bool watch_memory = false;
  caf::actor pool;
  caf::io::connection_handle socket;
  bool closed = false;  ///< the descriptor may be somebody else's by now
  uint64_t seen = 0;    ///< jobs written to a socket that was open
  bool unsent = false;  ///< CAF still holds bytes that the child did not take
  memory_gauge memory;  ///< of the process; reads 0 if nobody wants to know
  std::string received; ///< bytes of a frame that is not complete yet
  std::string fault;    ///< why we killed it, if we did

  /// The process id, if there is a process yet.
  std::optional<pid_t> pid();

  std::shared_ptr<task_caller> caller;
  /// Calls of its task that have no result: the child's numbers, and ours.
  std::map<uint64_t, uint64_t> calls;

  /// Whatever ends this actor ends the process: no child without its worker.
  ~child_worker_state();
};

using child_worker_actor = caf::stateful_actor<child_worker_state,
                                               caf::io::broker>;

/// @param pool whom to tell: child_hello, child_failed, child_outcomes,
///             child_state, child_event, child_returned, child_memory, child_exited
/// @param source started `process`, and starts another if none comes of that
/// @param watch_memory whether outcomes are to tell the resident memory
/// @param calls has other tasks run for those that the child runs
caf::behavior child_worker(child_worker_actor* self, caf::actor pool,
                           uint64_t id,
                           std::shared_ptr<const child_source> source,
                           child_process process, bool watch_memory,
                           std::shared_ptr<task_caller> calls);

/// Children that are processes, for -P prefork.
child_factory process_children(child_source source, bool watch_memory,
                               std::shared_ptr<task_caller> calls);

} // namespace umbel
