// Of which tasks there is to be one at a time (protocol/message/uniqueness.hpp): what a
// task's definition, or a client's handle of it, says once for all calls.
#pragma once

#include "protocol/message/json.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>

namespace umbel {

struct unique_rule {
  std::optional<std::chrono::duration<double>> held_for = {}; ///< empty: an hour
  bool until_start = false; ///< the key is free when the task begins
};

/// The key that these values are: one that is text as it is, others as JSON, several as
/// a JSON list. Of a long one its hash.
std::string unique_key_of(std::span<const json::value* const> values);

/// Says so in the headers of a message, unless they say something else.
void add_unique_headers(json::object& to, const unique_rule& rule,
                        const std::string& key);

} // namespace umbel
