// Answers to commands (contract section 8.2).
#pragma once

#include "protocol/control/control_request.hpp"
#include "protocol/message/json.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

/// The envelope of a node's answer.
/// @param clock the node's own
std::string make_control_reply(const node_name& node, const json::value& answer,
                               const reply_address& to, uint64_t clock);

/// What one or more nodes have answered.
struct control_reply {
  std::string ticket; ///< says to what
  std::vector<std::pair<node_name, json::value>> answers;
  uint64_t clock = 0; ///< the sender's; 0: it has none
};

/// Reads the envelope of an answer. @returns `malformed` with what is wrong
expected<control_reply> parse_control_reply(std::string_view payload,
                                            const content_rules& rules = {});

namespace remote {

/// `{"ok": text}`: the command was obeyed.
json::value ok(std::string_view text);

/// `{"error": text}`: it was not.
json::value failed(std::string_view text);

} // namespace remote

} // namespace umbel
