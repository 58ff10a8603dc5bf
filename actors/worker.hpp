// worker: the root of the supervision tree.
//
//     root
//     `- supervisor "worker"          one_for_all
//        |- timer                     wakes tasks that have an eta
//        |- pool supervisor           dynamic
//        |  `- child worker *         one for each child process
//        |- autoscaler                with --autoscale
//        |- consumer                  decides what happens to each message
//        `- supervisor "connections"  rest_for_one, backoff
//           |- watchdog               finds a worker that is deaf
//           |- writer                 settles
//           |- reader                 reserves
//           `- ...                    what speaks with other nodes
//
//  1. starts the tree;
//  2. turns signals into steps of a shutdown (see shutdown_ladder), which the
//     root carries out; USR1 prints the tree (see census);
//  3. proves to a service manager that the tree is alive;
//  4. ends when the tree has ended, or at once when it is told to.
//
// One_for_all at the top: pool, consumer and connections account for the same
// messages. If one of them dies, the others' books are void; all start again
// under a new incarnation, and what the old one held comes back through its
// lease.
#pragma once

#include "actors/worker_config.hpp"

namespace umbel {

/// How a worker ended.
struct worker_end {
  enum how_t : uint8_t {
    finished,
    restart, ///< the program is to be executed again
    at_once, ///< threads may still run: leave by _exit
  };

  how_t how = finished;

  /// 0 after SIGTERM, 1 after SIGINT or SIGQUIT (as Celery) and when the worker
  /// could not go on; the reason is logged.
  int exit_status = 0;
};

/// Runs a worker until it is told to stop. Blocks. Call it from main, before
/// any other thread is started: it sets the signal mask that threads inherit.
worker_end run_worker(const worker_config& config);

} // namespace umbel
