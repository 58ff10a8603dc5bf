// How one run of a task ended, as it travels from a child to its parent.
//
// The child knows the task, so it writes the documents: the parent stores and
// publishes them without looking inside.
#pragma once

#include "protocol/backend/workflow.hpp"
#include "protocol/broker/broker.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

/// Bound of an outcome's document and messages together, and of a state's
/// document: brokers and result stores refuse values of 512 MB, and base64
/// makes what is sent to them longer.
constexpr size_t outcome_bytes_max = 128u << 20;

/// The five ways in which a run can end (Celery: states and semi-predicates),
/// and two in which it never began.
enum class outcome_kind : uint8_t {
  success = 1,
  failure,   ///< an exception; result document FAILURE
  retry,     ///< Retry: a new message is in `publish`, document RETRY
  ignore,    ///< Ignore: acknowledged without a state
  reject,    ///< Reject(requeue=False): dead letter
  requeue,   ///< Reject(requeue=True): back on the queue
  malformed, ///< body could not be decoded; `summary` says why; dead letter
  revoked,   ///< expired while it waited for a child; document REVOKED
};

struct outcome {
  uint64_t job = 0; ///< the parent's number for this run
  outcome_kind kind = outcome_kind::success;
  std::chrono::microseconds runtime{0};
  /// Meta document to store, in `result_serializer` (contract section 6.1); empty when the
  /// task or the message says that the result is ignored.
  std::string document;
  /// For the log. success: repr of the result; failure: repr of the exception;
  /// retry: "Retry in 1s: " and that repr; reject, requeue, malformed: why.
  std::string summary;
  std::string traceback; ///< failure and retry only
  /// Failure only: by an exception that the task is known to throw.
  bool expected = false;
  /// Follow-up messages. An empty queue is the one that the job came from, which
  /// its message does not tell.
  std::vector<outgoing_message> publish;
  workflow_steps workflow; ///< what else its workflow has to know
};

} // namespace umbel
