// worker: the root of the supervision tree.
//
//     worker (root)
//     `- supervisor "worker"          one_for_all
//        |- timer                     wakes tasks that have an eta
//        |- pool supervisor           dynamic
//        |  `- child worker *         one for each child process
//        |- autoscaler                with --autoscale
//        |- consumer                  decides what happens to each message
//        `- supervisor "connections"  rest_for_one, backoff
//           |- writer                 settles
//           `- reader                 reserves
//
//  1. starts the tree;
//  2. turns signals into orders: TERM and the first INT drain it (warm), QUIT
//     and the second INT also give up what runs (cold), a third one ends all;
//  3. ends when the tree has ended, with what becomes the exit status.
//
// One_for_all at the top: pool, consumer and connections account for the same
// messages. If one of them dies, the others' books are void; all start again
// under a new incarnation, and what the old one held comes back through its
// lease.
#pragma once

#include "actors/worker_config.hpp"

namespace umbel {

/// Runs a worker until it is told to stop. Blocks. Call it from main, before
/// any other thread is started: it sets the signal mask that threads inherit.
/// @returns the exit status: 0 after SIGTERM, 1 after SIGINT or SIGQUIT (as
/// Celery) and when the worker could not go on; the reason is logged.
int run_worker(const worker_config& config);

} // namespace umbel
