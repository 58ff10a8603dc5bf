// Publishes each due time once, for a schedule that is not kept in the broker's own
// database. Publishing and noting are two steps then; a beat that was killed in between
// publishes again, and nothing comes of it: the broker's database remembers the last
// number of each series, and is asked in the step that publishes.
//
// Implementations: redis/redis_once_publisher, sqlite/sqlite_once_publisher. On other
// brokers such a repeat is there twice, under the same id.
#pragma once

#include "protocol/broker/broker.hpp"

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

  /// @returns null if the broker of that URL cannot remember; errors as those of
  ///          connecting to it
  static expected<std::unique_ptr<once_publisher>>
  open(const std::string& broker_url, const broker_options& options);

  virtual ~once_publisher() = default;

  /// One step, on queues that have been declared.
  /// @param schedule the identity of its store
  /// @returns on SQLite `duplicate` for a unique task that is there already; the
  ///          others are published
  virtual expected<void> publish(const std::string& schedule,
                                 std::span<const item> items)
    = 0;

  /// What was published longer ago is forgotten: a beat that was killed is started
  /// again before that, or not at all.
  static constexpr std::chrono::seconds remembered = std::chrono::days{30};
};

} // namespace umbel::schedule
