// Which queues are meant, and which a worker consumes, by options and settings.
#pragma once

#include "apps/options.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/client/settings.hpp"

#include <string>
#include <vector>

namespace umbel {

/// By name: those that are `given`, else those of task_queues, else the default one;
/// each once.
std::vector<queue_name> chosen_queues(const std::vector<std::string>& given,
                                      const settings& x);

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
