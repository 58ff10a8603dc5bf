// The group of a worker's actors that live and die with its connections, as its
// supervisor starts them: the part `connections` of the tree in worker.hpp.
//
//  1. An incarnation is what one life of the group shares: addresses, options, a name
//     of its own at the broker.
//  2. Each child's specification says who it is and what it gets of those before it.
//
// What is left out of the tree, and why, is decided here: a broker that takes
// everything in needs no publisher, one without fanout no gossip.
#pragma once

#include "actors/caller/call_table.hpp"
#include "actors/cluster/control.hpp"
#include "actors/cluster/heartbeat.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/worker_config.hpp"

#include <memory>
#include <vector>

namespace umbel {

/// A new life of the connections, under a name that the broker has not heard yet.
std::shared_ptr<incarnation>
begin_incarnation(const worker_config& config,
                  std::shared_ptr<consumed_queues> queues);

/// Whether anything that is broadcast concerns the worker.
bool listens(const worker_config& config, const incarnation& life);

heartbeat_options heartbeat_options_of(const worker_config& config);

/// In the order in which they start. Those who speak with other nodes come last.
/// @param colleagues those outside the group
/// @param calls      what tasks in children ask to be sent
std::vector<child_spec> connection_specs(const worker_config& config,
                                         std::shared_ptr<incarnation> life,
                                         control_colleagues colleagues,
                                         const control_options& control,
                                         std::shared_ptr<call_table> calls);

/// rest_for_one: who writes and reads stands on the connections before.
supervisor_flags connection_flags();

} // namespace umbel
