// What brokers have in common about dead letters.
#pragma once

#include "protocol/broker/broker.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// A short name for a dead letter where the broker has none: a hash of the
/// text that it is kept in, twelve hexadecimal digits.
std::string dead_letter_id(std::string_view text);

/// What is published when a dead letter of `queue` is replayed.
outgoing_message replayed(const queue_name& queue, std::string_view payload);

} // namespace umbel
