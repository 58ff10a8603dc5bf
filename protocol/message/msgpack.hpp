// MessagePack, as kombu's serializer "msgpack" has it: `packb(use_bin_type=True)`
// and `unpackb(raw=False)`. Internal to this folder.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// Bytes (bin) and times (extension -1) come back tagged. @returns `malformed`
/// as Python does for broken UTF-8, keys that are no text, trailing bytes; also
/// for other extensions, which kombu never writes.
expected<json::value> parse_msgpack(std::string_view bytes);

std::string to_msgpack(const json::value& x);

} // namespace umbel
