// What the winner of an election does (topic "task"): it sends the task that the
// election was held for.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"
#include "protocol/message/json.hpp"
#include "protocol/names.hpp"

#include <string>

namespace umbel {

/// The message of a signature of one task, as `Signature.apply_async` sends it.
/// @param queue where it goes if the signature does not say
/// @returns `malformed` if it is none, `unsupported` for a group, chain or chord
expected<outgoing_message> make_elected_task(const json::value& signature,
                                             const std::string& queue,
                                             const node_name& node);

} // namespace umbel
