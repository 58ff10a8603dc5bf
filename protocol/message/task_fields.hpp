// The fields of a task message, read and checked one by one: what reading a
// header and decoding a whole message have in common. Internal to this folder.
#pragma once

#include "protocol/message/envelope_view.hpp"
#include "protocol/message/task_message.hpp"

namespace umbel {

/// Whether the body is a mapping, as in protocol 1, judged by its first
/// character. (Protocol 2 has a list.)
bool has_mapping_body(const envelope_view& x);

/// The headers that a protocol 2 message in place of this one would have.
struct translated_fields {
  json::object headers;
  bool utc = true;
};

/// Translates a body of protocol 1. Also of "hybrid" messages, which have
/// protocol 2's headers before a mapping: there a header goes before the field
/// of the same name in the body.
expected<translated_fields> translate_fields(const json::object& body,
                                             const json::object& headers);

/// Reads the header from protocol 2's headers. @returns `malformed` naming the
/// first field that is wrong, and how.
expected<task_header> read_fields(const json::object& headers,
                                  const json::object& properties);

} // namespace umbel
