// YAML, as kombu's serializer "yaml" has it: `safe_dump` and `safe_load` of
// PyYAML, which speaks YAML 1.1. Internal to this folder.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace umbel {

/// Reads one document. Plain scalars are what PyYAML makes of them (`yes` is
/// true, `010` is 8); `!!binary` and times come back tagged; keys that are
/// numbers, booleans or null become text, as in Python's JSON.
/// @param max bound of what aliases may expand to, in bytes
/// @returns `malformed` for everything outside of the safe subset: tags of
/// Python's and of applications, sets, merge keys, keys that are no scalars,
/// aliases within what they mean, more than one document
expected<json::value> parse_yaml(std::string_view text, size_t max);

/// One line in flow style; every text is quoted, so that no reader takes it for
/// something else.
std::string to_yaml(const json::value& x);

} // namespace umbel
