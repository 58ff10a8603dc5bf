// Whether a message outlives a restart of its broker: AMQP's delivery mode. Of the
// brokers here RabbitMQ looks at it; the others hand it on.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>

namespace umbel {

enum class delivery_mode : uint8_t {
  transient = 1,
  persistent = 2,
};

/// As kombu takes it: "transient" or "persistent", or its number (which is a text
/// where it comes from a command line).
/// @returns `malformed` with what there is
expected<delivery_mode> parse_delivery_mode(const json::value& x);

} // namespace umbel
