// Which queues a worker consumes, by its options and settings.
#pragma once

#include "apps/options.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/client/settings.hpp"

#include <string>
#include <vector>

namespace umbel {

/// By name: those of -Q, else of task_queues, else the default one; without those
/// of -X.
/// @returns `invalid_setting`
expected<std::vector<queue_name>> queues_of(const options& given,
                                            const settings& x,
                                            std::vector<std::string>& warnings);

/// Turns the queues that were chosen by name into those that are consumed: one of a
/// fanout exchange becomes this node's own, and the node may have one that is
/// reached by its name.
expected<void> bind_queues(broker_options& to, const settings& x);

} // namespace umbel
