// The result store interface: where states and results of tasks are kept.
//
// One object is one connection, used by one thread at a time. After an
// `unavailable` or `timeout` error it is finished, as with a broker.
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/error.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

struct result_store_options {
  std::chrono::seconds result_expires{86'400}; ///< 0: never
  std::chrono::milliseconds connect_timeout{4'000};
  std::chrono::milliseconds socket_timeout{120'000};
  std::string global_keyprefix; ///< of result keys (result_backend_transport_options)
};

class result_store {
public:
  virtual ~result_store() = default;

  /// Where this is, without password, for logs.
  virtual std::string location() const = 0;

  /// Writes the records and wakes whoever waits for them, in one round trip. A
  /// stored SUCCESS is never overwritten, checked atomically with the write.
  virtual expected<void> store(std::span<const result_record> batch) = 0;

  /// The stored document, or nothing for an id that is not known.
  virtual expected<std::optional<std::string>> fetch(const task_id& id) = 0;

  virtual expected<void> forget(const task_id& id) = 0;
};

/// Opens `url` ("redis://...", "memory://name", "disabled://"). An empty url is
/// the disabled store, which accepts and forgets everything.
expected<std::unique_ptr<result_store>>
connect_result_store(const std::string& url,
                     const result_store_options& options);

} // namespace umbel
