// The state of a task as its result document tells it (contract section 6.1).
#pragma once

#include "protocol/message/content.hpp"

#include <string>
#include <string_view>

namespace umbel {

struct task_result {
  std::string status; ///< "SUCCESS", "FAILURE", "REVOKED", "STARTED" ...
  json::value result; ///< what the task returned, or the exception's document
  std::string traceback = {};
  json::array children = {}; ///< result tuples of what it has started
  /// All else that is stored: `date_done`, and with `result_extended` `name`, `args`,
  /// `kwargs`, `worker`, `retries`, `queue`.
  json::object more = {};

  /// Whether no other state will follow.
  bool ended() const {
    return succeeded() || status == "FAILURE" || status == "REVOKED";
  }

  bool succeeded() const {
    return status == "SUCCESS";
  }

  /// Of a task that did not succeed, the exception: "ValueError: its message".
  std::string reason() const;
};

/// @param how `result_serializer`
/// @returns `malformed` for what is no result document
expected<task_result> parse_task_result(serializer how,
                                        std::string_view document);

} // namespace umbel
