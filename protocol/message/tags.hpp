// Values that JSON lacks, as kombu >= 5.3 writes them into JSON. Internal to this
// folder.
#pragma once

#include "protocol/message/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace umbel {

/// A look at `{"__type__": type, "__value__": value}`.
struct tagged_value {
  std::string_view type;
  const json::value* value;
};

/// datetime, date, time, decimal, uuid, bytes, base64.
bool is_known_tag(std::string_view type);

/// Nothing for an object that is none, or whose type is not known.
std::optional<tagged_value> look_at_tag(const json::object& x);

json::value make_tagged(std::string_view type, std::string_view value);

/// `bytes` if it is text, else `base64`.
json::value tag_bytes(std::string_view x);

/// The bytes of `bytes` or `base64`; nothing for other types, or if it is broken.
std::optional<std::string> bytes_of(const tagged_value& x);

/// What kombu before 5.3 would have written: "2026-11-23T11:45:16+00:00".
std::string text_of(const tagged_value& x);

/// `text` itself, or a copy with U+FFFD in place of what is no UTF-8.
std::string to_valid_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

} // namespace umbel
