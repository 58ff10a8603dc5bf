// Hears the events of a cluster, on any broker that can broadcast. Used by one
// thread at a time.
#pragma once

#include "protocol/broker/subscription.hpp"
#include "protocol/control/event.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace umbel {

class event_feed {
public:
  /// @returns errors as `connect_broker`; `unsupported` if the broker broadcasts
  ///          nothing
  static expected<event_feed> connect(const std::string& url,
                                      broker_options options,
                                      content_rules rules,
                                      const broadcast_options& how = {});

  /// The events that came together, or none when `timeout` has passed. What
  /// cannot be understood is passed over. @returns an error when the connection
  /// is lost; it is then finished
  expected<std::vector<event>> next(std::chrono::milliseconds timeout);

private:
  event_feed(std::unique_ptr<subscription> x, content_rules rules)
      : events_(std::move(x)), rules_(std::move(rules)) {
  }

  std::unique_ptr<subscription> events_;
  content_rules rules_;
};

} // namespace umbel
