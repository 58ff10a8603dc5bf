// Where messages for a queue go: onto a list, or, if the queue is that of a fanout
// exchange and not consumed here, to all who subscribe to the exchange's channel.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/keys.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace umbel::redis {

class places {
public:
  /// @param db number of the database that messages go to
  places(const broker_options& options, int db);

  /// The queue's channel; null: it has a list.
  const std::string* channel(const queue_name& queue) const;

  /// As scripts take it (place.lua).
  std::string of(const queue_name& queue, int priority) const;

  /// The place of all who subscribe to a fanout exchange; nothing for an exchange of
  /// another type.
  std::optional<std::string> through(const std::string& exchange,
                                     const std::string& routing_key) const;

private:
  keys keys_;
  int db_;
  std::set<std::string> fanouts_; ///< exchanges
  std::map<std::string, std::string> channels_; ///< by queue
};

} // namespace umbel::redis
