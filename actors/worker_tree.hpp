// The tree of a worker (see worker.hpp) as its supervisor starts it.
//
// Each child's specification says what it gets of those before it. The consumer and its
// connections share an incarnation, which is renewed with the consumer.
#pragma once

#include "actors/beat/beat.hpp"
#include "actors/caller/call_table.hpp"
#include "actors/consumer/consumed_queues.hpp"
#include "actors/consumer/revocations.hpp"
#include "actors/consumer/state_db.hpp"
#include "actors/pool/fork_line.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/worker_config.hpp"

#include <memory>
#include <vector>

namespace umbel {

/// What is kept from one incarnation to the next.
struct worker_memory {
  std::shared_ptr<revocations> revoked;
  std::shared_ptr<state_db> file; ///< null without -S
  std::shared_ptr<beat_plan> plan; ///< null without -B
  std::shared_ptr<consumed_queues> queues;
};

/// Opens what is kept in files. @returns an error for a file that cannot be read
expected<worker_memory> open_memory(const worker_config& config);

/// Null if children are not forked.
std::shared_ptr<fork_lines> make_fork_lines(const worker_config& config);

/// What the pool makes its children with. Threads need the task libraries in this
/// process; a library that cannot be loaded is an error here already.
/// @param lines where processes come from, or null
expected<child_factory> make_children(const worker_config& config,
                                      std::shared_ptr<fork_lines> lines,
                                      std::shared_ptr<call_table> calls);

/// In the order in which they start.
/// @param root hears of each new consumer
std::vector<child_spec> worker_specs(const worker_config& config,
                                     const child_factory& children,
                                     std::shared_ptr<fork_lines> lines,
                                     std::shared_ptr<call_table> calls,
                                     const worker_memory& memory,
                                     const caf::actor& root);

} // namespace umbel
