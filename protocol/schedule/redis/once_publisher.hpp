// Publishes each due time once on a broker that is Redis, for a schedule that is kept
// elsewhere: in a file, or on another server. Publishing and noting are two steps
// then; a beat that was killed in between publishes again, and nothing comes of it.
#pragma once

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/place.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace umbel::schedule {

class once_publisher {
public:
  struct item {
    /// The entry; for a run that an operator has asked for "#" and the entry.
    std::string series;
    int64_t number = 0; ///< grows within a series
    outgoing_message message;
  };

  /// @returns null if `broker_url` is not that of a Redis server; errors as
  ///          `redis::connection::open`
  static expected<std::unique_ptr<once_publisher>>
  open(const std::string& broker_url, const broker_options& options);

  /// One step, on queues that have been declared.
  /// @param schedule the identity of its store
  expected<void> publish(const std::string& schedule,
                         std::span<const item> items);

private:
  once_publisher(std::unique_ptr<redis::connection> connection,
                 const broker_options& options);

  std::unique_ptr<redis::connection> connection_;
  std::string prefix_;
  redis::places places_;
};

} // namespace umbel::schedule
