// Messages that were parked instead of run: in the durable queue
// `umbel.dead.<queue>`, each as it was, with the reason in a header. An
// operator finds them with any tool for RabbitMQ, and can move them back.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/broker.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace umbel::amqp {

std::string dead_queue(const std::string& queue);

/// The newest first, at most `max`. They stay in their queue.
expected<std::vector<dead_letter>> read_dead_letters(connection& x,
                                                     const std::string& queue,
                                                     size_t max);

/// Takes those out that have these ids, after `send` has sent what follows from
/// them. Who is interrupted in between finds a letter in both places.
/// @returns how many
expected<size_t>
take_dead_letters(connection& x, const std::string& queue,
                  std::span<const std::string> ids,
                  const std::function<expected<void>(
                    const std::vector<dead_letter>&)>& send);

} // namespace umbel::amqp
