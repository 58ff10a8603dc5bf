// Task messages, protocol 2 and 1 (contract sections 1.1 to 1.3).
#pragma once

#include "protocol/message/content.hpp"
#include "protocol/message/delivery_mode.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace umbel {

/// What a worker must know of a message to decide its fate, read from the
/// headers alone (protocol 1: from the body).
struct task_header {
  task_id id;
  std::string task;   ///< registered name
  std::string shadow; ///< name to show in its place; often empty
  std::optional<timestamp> eta;
  std::optional<timestamp> expires;
  int64_t retries = 0;
  std::string group;
  std::string root_id;
  std::string parent_id;
  std::string reply_to;
  std::optional<bool> ignore_result;
  std::optional<std::chrono::milliseconds> time_limit;
  std::optional<std::chrono::milliseconds> soft_time_limit;
  int priority = 0;
  bool redelivered = false;
  size_t deliveries = 0; ///< begun without an end (`deliveries_header`)
  bool rate_limited = false; ///< has waited for its turn (`rate_limit_mark`)
  bool utc = true; ///< protocol 1 `utc`
};

/// Reads the header of the envelope in `payload` without decoding a protocol 2
/// body. Made for the hot path: one parse, nothing kept.
/// @returns `malformed` with the reason: not a task message, no or non-string
/// id, bad eta or expires or timelimit, a content type that is not accepted, a
/// compression that is not known.
expected<task_header> read_task_header(std::string_view payload,
                                       const content_rules& rules = {});

/// One header as text: a string as it is, anything else as JSON. Empty if it is
/// missing or null, or if `payload` is no envelope.
std::string read_header_text(std::string_view payload, std::string_view name);

/// A whole task message.
struct task_message {
  task_header header;
  json::object headers;    ///< all as received; protocol 1: as translated
  json::object properties; ///< all properties as received
  json::array args;
  json::object kwargs;
  json::object
      embed; ///< callbacks, errbacks, chain, chord; members may be null
  int protocol = 2;
  body_form form; ///< how its body was written
};

/// Decodes envelope, headers and body. A message of protocol 1 gets the headers
/// that one of protocol 2 would have, its own (users') ones among them; so does
/// a "hybrid" one, protocol 2's headers over a mapping. @returns `malformed`
/// for everything in contract section 1.6: a body that is not what its content
/// type says, or too large, not of three elements, args that are no list, kwargs
/// that are no mapping, unknown `__type__` ...
expected<task_message> parse_task_message(std::string_view payload,
                                          const content_rules& rules = {});

/// What a client says of a new message; empty members are left to the defaults
/// of protocol 2. What has no member here (timelimit, group, group_index,
/// shadow, ignore_result ...) goes into `headers`.
struct task_call {
  std::string task;
  std::string id; ///< fresh UUID when empty
  json::array args;
  json::object kwargs;
  json::object embed;
  std::optional<timestamp> eta;
  std::optional<timestamp> expires;
  int64_t retries = 0;
  std::string queue = "celery"; ///< reached by its name, if `exchange` is empty
  std::string exchange;
  std::string routing_key; ///< of `exchange`
  int priority = 0;
  umbel::delivery_mode delivery_mode = umbel::delivery_mode::persistent;
  std::string root_id;   ///< = id when empty
  std::string parent_id; ///< null when empty
  std::string reply_to;
  std::string origin;
  json::object headers; ///< merged flat over the standard ones, last
  body_form form;       ///< how its body is to be written
  /// Body as plain JSON text instead of base64; `form` does not matter then.
  bool plain = false;
};

/// Builds the envelope of a protocol 2 message, as Celery's client would.
std::string make_task_message(const task_call& call);

/// The message of a retry: same id, `retries` + 1, `eta`, parent_id set to the
/// existing one or else to its own id; root, group, chord, chain, callbacks,
/// limits, expires, reply_to, priority, serializer, compression and unknown
/// headers carried over (contract section 11). It goes back to the exchange and routing key that the
/// message came by. Always protocol 2.
std::string make_retry_message(const task_message& original,
                               std::optional<timestamp> eta);

} // namespace umbel
