// What commands, answers and events have in common: an envelope around one value.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <string_view>

namespace umbel::remote {

struct opened_message {
  json::value body;
  json::object headers;

  /// The logical time that the sender named; 0 if it named none. One that is no
  /// number is no reason to pass over the message.
  uint64_t clock() const;
};

/// @returns `malformed` with what is wrong
expected<opened_message> open_message(std::string_view payload,
                                      const content_rules& rules);

} // namespace umbel::remote
