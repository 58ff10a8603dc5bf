// A parsed envelope, looked at where it lies: what reading a header and
// decoding a whole message have in common. Internal to this folder.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// Points into the json::value that it was made from.
struct envelope_view {
  const json::object* headers; ///< never null; empty when there are none
  const json::object* properties;
  std::string_view body;         ///< as it stands in the envelope
  bool base64;                   ///< whether `body` is base64 or the plain text
  std::string_view content_type; ///< empty when missing
  std::string_view content_encoding;
};

expected<envelope_view> view_envelope(const json::value& x);

/// The body without base64.
expected<std::string> decode_body(const envelope_view& x);

/// How the body is written. @returns `malformed` if that is not known, or not
/// accepted.
expected<body_form> read_form(std::string_view content_type,
                              std::string_view content_encoding,
                              const json::object& headers,
                              const content_rules& rules);

/// "a list", "a number": for messages to a person.
const char* kind_name(const json::value& x);

} // namespace umbel
