// Where messages for a queue go: onto a list, or, if the queue is that of a fanout
// exchange and not consumed here, to all who subscribe to the exchange's channel.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/keys.hpp"

#include <map>
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

private:
  keys keys_;
  std::map<std::string, std::string> channels_; ///< by queue
};

} // namespace umbel::redis
