// Waits for results without asking for them: what stands behind
// `co_await umbel::call(...)`.
//
// One object is one connection, used by one thread at a time; only `interrupt`
// may be called from another. After an `unavailable` or `timeout` error it is
// finished, as with a result store.
#pragma once

#include "protocol/backend/result_store.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace umbel {

class result_listener {
public:
  virtual ~result_listener() = default;

  /// When it has returned, `wait` tells every document that is stored under
  /// these ids, that of an intermediate state too, unless the next one follows
  /// before it is told. What was stored before is not told.
  virtual expected<void> subscribe(std::span<const task_id> ids) = 0;

  virtual expected<void> unsubscribe(std::span<const task_id> ids) = 0;

  /// Waits until something is stored, `timeout` has passed, or `interrupt` was
  /// called. @returns what was stored, in that order
  virtual expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) = 0;

  /// Ends a `wait` in progress, or the next one. From any thread.
  virtual void interrupt() noexcept = 0;
};

/// Opens a connection to the store of this URL.
/// @returns `unsupported` for the disabled store, and for no URL
expected<std::unique_ptr<result_listener>>
connect_result_listener(const std::string& url,
                        const result_store_options& options);

} // namespace umbel
