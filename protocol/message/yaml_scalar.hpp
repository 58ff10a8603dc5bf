// What a scalar of YAML 1.1 is: a rule for each kind. Internal to this folder.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace umbel {

/// @param tag "?" for a plain scalar, "!" for a quoted one, else a full tag
expected<json::value> read_yaml_scalar(std::string_view tag,
                                       const std::string& text);

/// A scalar as the key of an object, spelled as by Python's JSON; nothing for
/// other values.
std::optional<std::string> yaml_key(const json::value& x);

/// Why this tag is refused.
std::string refused_yaml_tag(std::string_view tag);

} // namespace umbel
