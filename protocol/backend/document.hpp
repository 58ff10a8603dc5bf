// The meta document: a task's state as it is stored (contract section 6.1).
#pragma once

#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <optional>
#include <string>

namespace umbel {

/// Celery's exception document.
struct exception_info {
  std::string type;   ///< exc_type: "ValueError"
  json::array args;   ///< exc_message: the exception's arguments
  std::string module; ///< exc_module: "builtins", "celery.exceptions"
  std::string traceback;

  /// `ValueError('text')`, for logs and events.
  std::string repr() const;
};

/// What `result_extended` adds.
struct extended_info {
  std::string name;
  json::array args;
  json::object kwargs;
  std::string worker;
  int64_t retries = 0;
  std::string queue;
  /// Of a stamped task: the names of its stamps, and under each name its value.
  json::array stamped_headers = {};
  json::object stamps = {};
};

/// Everything a document may hold, in Celery's order of keys.
struct meta {
  std::string status; ///< "SUCCESS", "FAILURE", "STARTED", "RETRY", custom ...
  json::value result;
  std::optional<std::string> traceback;
  std::optional<json::array> children = json::array{}; ///< nullopt: null
  std::optional<timestamp> date_done; ///< set for SUCCESS, FAILURE, REVOKED
  std::string group_id;               ///< left out when empty
  std::string parent_id;              ///< left out when empty
  std::optional<extended_info> extended;
  std::string task_id;
};

/// The document as it is stored; `status` is the first key.
std::string to_document(const meta& x,
                        serializer how = serializer::json);

/// Reads what any peer has stored. @param how `result_serializer`
/// @returns `malformed` if it is no document of this kind
expected<json::object> parse_document(serializer how, std::string_view document);

/// {"exc_type": ..., "exc_message": [...], "exc_module": ...}
json::object to_json_object(const exception_info& x);

// -- documents that a worker writes of its own accord -------------------------

/// Lost child: WorkerLostError of billiard.exceptions.
exception_info worker_lost(const std::string& how); ///< "signal 9 (SIGKILL)"
exception_info not_registered(const std::string& task);
exception_info task_revoked(const std::string& why); ///< "expired", "revoked"
exception_info time_limit_exceeded(double seconds);

} // namespace umbel
