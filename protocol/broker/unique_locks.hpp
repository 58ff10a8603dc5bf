// The keys of unique tasks in a broker (protocol/message/uniqueness.hpp): who has
// which. `broker::publish` takes them together with publishing; this is for those
// who run tasks.
//
// One object is one connection, used by one thread at a time, finished after an
// `unavailable` or `timeout` error as a broker is.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace umbel {

class unique_locks {
public:
  virtual ~unique_locks() = default;

  /// Takes a key that is free, until it is given back or the time has passed.
  /// @returns the id of the task that has it: this one or another
  virtual expected<std::string> claim(const std::string& key,
                                      const std::string& id,
                                      std::chrono::milliseconds held_for) = 0;

  /// Gives it back, if that task has it.
  virtual expected<void> release(const std::string& key,
                                 const std::string& id) = 0;
};

/// Whether the broker of this URL keeps such keys.
bool keeps_unique_keys(const std::string& url);

/// @returns `unsupported` where a broker keeps no keys
expected<std::unique_ptr<unique_locks>>
connect_unique_locks(const std::string& url, const broker_options& options);

} // namespace umbel
