// Dead letters as they stand in `umbel.dead.<queue>`: JSON objects `{"reason",
// "at", "payload"}`. A payload that is not UTF-8 is in base64, and the object
// then says `"encoding": "base64"`.
#pragma once

#include "protocol/broker/broker.hpp"

#include <string>
#include <string_view>

namespace umbel::redis {

/// With the time of now.
std::string to_text(const dead_letter& x);

/// Text that is no dead letter becomes the payload of one.
dead_letter parse_dead_letter(std::string_view text);

} // namespace umbel::redis
