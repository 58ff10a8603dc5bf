// The envelope of kombu's virtual transports (contract section 2.1): the form
// in which every message travels inside Umbel, whatever the broker.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// A decoded envelope. Unknown headers and properties are kept.
struct envelope {
  std::string body; ///< serialised body; base64 is already removed
  std::string content_type;
  std::string content_encoding;
  json::object headers;
  json::object properties;
  bool plain = false; ///< to be written without base64: a body that is text
};

/// Parses an envelope. Where Python workers crash (no properties, no
/// delivery_info, no delivery_tag, body_encoding "utf-8", contract section
/// 1.6) this reads what is there. @returns `malformed` if it is not a JSON
/// object with a string body, or if the body's base64 is broken.
expected<envelope> parse_envelope(std::string_view text);

/// Writes an envelope, its body in base64 unless it is `plain`, for the anonymous exchange or a
/// named one. Fills in delivery_info, delivery_mode, priority and a fresh
/// delivery_tag where they are missing.
std::string to_text(const envelope& x);

/// `properties.priority` of an envelope within 0..9; 0 if there is none.
int priority_of(std::string_view text);

/// The same envelope, marked as redelivered (headers and delivery_info).
expected<std::string> mark_redelivered(std::string_view text);

/// The same envelope, marked as having waited for its turn under a rate limit.
/// The mark is a header, `rate_limit_mark`; Python peers pass over it.
expected<std::string> mark_rate_limited(std::string_view text);

inline constexpr std::string_view rate_limit_mark = "umbel_rate_limited";

/// A random UUID (version 4), lower case with dashes.
std::string make_uuid();

/// The version 5 UUID of `name` in the namespace of URLs: the same for the same name,
/// as Python's uuid5(NAMESPACE_URL, name).
std::string make_name_uuid(std::string_view name);

std::string encode_base64(std::string_view bytes);
expected<std::string> decode_base64(std::string_view text);

} // namespace umbel
