// fork server: owns the process that children are forked from.
//
//  1. starts the child program as a fork server, which loads the task libraries
//     once, and offers its line to the child workers;
//  2. looks after it while children are asked for: one that makes none is
//     killed, as is one that has not loaded its libraries in time;
//  3. when the process is gone, takes back the line, and ends: with an error, so
//     that another is started, unless the process has said why there cannot be
//     one (a library that starts threads while it is loaded).
//
// While there is none, child workers start children by exec; those that are
// there do not notice. A supervisor of its own starts it, before the pool: it
// restarts it for ever, ever more slowly.
//
// A CAF broker, for the socket. README.md tells why there is a fork server.
#pragma once

#include "actors/pool/fork_line.hpp"
#include "actors/supervision/child_spec.hpp"

#include <caf/io/broker.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <memory>
#include <optional>
#include <string>

namespace umbel {

struct fork_server_options {
  std::string executable;           ///< the child program
  std::string configure_frame;      ///< what it is to load
  std::shared_ptr<fork_lines> lines;
  /// How long it may take to load the libraries.
  caf::timespan alive = std::chrono::seconds{30};
};

/// The process, as it has just been started.
struct fork_server_process {
  pid_t pid = -1;
  int socket = -1; ///< the worker's end of the line
  std::shared_ptr<fork_line> line;
};

struct fork_server_state {
  static inline const char* name = "fork_server";

  /// A request that has been open for longer means that it is stuck. Then
  /// children wait that have work to do.
  static constexpr auto patience = std::chrono::seconds{1};

  /// Between two looks, while requests are open.
  static constexpr auto look_interval = std::chrono::milliseconds{250};

  fork_server_options options;
  pid_t pid = -1;
  std::shared_ptr<fork_line> line;
  std::string received; ///< bytes of a frame that is not complete yet
  fork_line::time_point started{};
  /// When it had loaded the libraries; nothing before that.
  std::optional<fork_line::time_point> ready;
  bool declined = false; ///< there cannot be a fork server
  std::string fault;     ///< why it was killed, if it was

  /// Whatever ends this actor ends the process.
  ~fork_server_state();
};

using fork_server_actor = caf::stateful_actor<fork_server_state,
                                              caf::io::broker>;

/// Takes over the process and its socket.
caf::behavior fork_server_broker(fork_server_actor* self,
                                 fork_server_options options,
                                 fork_server_process process);

/// @returns `unavailable` with the reason.
expected<fork_server_process>
start_fork_server(const fork_server_options& options);

/// The supervisor of a fork server.
child_spec fork_server_spec(const fork_server_options& options);

} // namespace umbel
