// Remote control (contract section 8): a command that was broadcast, and what it
// asks for. It comes from strangers: nothing here throws.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// The exchange of commands.
constexpr const char* control_exchange = "celery.pidbox";

/// The exchange of answers to them.
constexpr const char* reply_exchange = "reply.celery.pidbox";

/// Where the answer to a command goes.
struct reply_address {
  std::string exchange; ///< "reply.celery.pidbox"
  std::string routing_key;
  std::string ticket; ///< says which command is answered
};

struct control_request {
  std::string method;
  json::object arguments;
  std::optional<std::vector<std::string>> destination; ///< node names
  std::string pattern;
  std::string matcher; ///< "glob" or "pcre"
  std::optional<reply_address> reply_to; ///< empty: nobody waits for an answer
  uint64_t clock = 0;                    ///< the sender's; 0: it has none

  /// Whether this node shall obey: it is in `destination`, or else matches
  /// `pattern`; without both, all nodes are meant.
  bool is_for(const node_name& node) const;
};

/// Reads the envelope of a command. @returns `malformed` with what is wrong
expected<control_request> parse_control_request(std::string_view payload,
                                                const content_rules& rules = {});

/// Writes the envelope of a command.
/// @param form    how its body is written: Celery's `task_serializer`
/// @param expires nobody waits for answers any longer; workers do not care
/// @param exchange through which it goes
std::string make_control_request(const control_request& x,
                                 const body_form& form,
                                 std::optional<timestamp> expires,
                                 const std::string& exchange
                                 = control_exchange);

/// `revoke` and `terminate`.
struct revoke_request {
  std::vector<task_id> ids;
  std::optional<int> signal; ///< how to end what runs; empty: it goes on
};

/// Reads the arguments of either. Signals are numbers, or Python's names in
/// upper case with or without SIG; the default is SIGTERM.
/// @pre `x.method` is "revoke" or "terminate"
/// @returns `malformed` naming the argument that is wrong
expected<revoke_request> parse_revoke_request(const control_request& x);

} // namespace umbel
