// What a worker and its fork server say to each other; README.md beside this
// file tells the whole conversation.
#pragma once

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>

namespace umbel::fork_server {

/// The argument that makes the child program a fork server.
constexpr const char* argument = "--fork-server";

/// Set in its environment, and not in that of its children: the loader looks up
/// all functions at once. Otherwise each child would have to.
constexpr const char* environment = "LD_BIND_NOW";

/// Its end of the line to the worker: a SOCK_SEQPACKET socket.
constexpr int line_fd = 3;

/// Memory that it shares with the worker: `slots_max` slots.
constexpr int slots_fd = 4;

/// A process id, 0 as long as there is none, or `no_process`. The kernel itself
/// writes the id while it makes the process: whatever dies in between, the
/// worker knows all its children.
using slot = std::atomic<uint32_t>;

/// The fork server could not make the process.
constexpr uint32_t no_process = UINT32_MAX;

static_assert(slot::is_always_lock_free && sizeof(slot) == 4);

/// Children that may be asked for and not there yet. One page of memory.
constexpr size_t slots_max = 1024;
constexpr size_t slots_bytes = slots_max * sizeof(slot);

/// From the worker: it will ask for no more. The fork server calls what is connected
/// to worker_shutdown, and ends.
constexpr int farewell_signal = SIGUSR2;

/// Make a child. Comes with one descriptor, the child's socket.
struct request {
  uint32_t slot = 0;  ///< where its process id goes; 0 there now
  uint32_t brief = 0; ///< 1: it need not list the tasks in its hello
};

} // namespace umbel::fork_server
