#include "protocol/client/event_feed.hpp"

#include <unistd.h>

namespace umbel {

expected<event_feed> event_feed::connect(const std::string& url,
                                         broker_options options,
                                         content_rules rules,
                                         const broadcast_options& how) {
  options.node = node_name{"events" + std::to_string(::getpid())};
  options.queues.clear();
  auto opened = subscribe(url, options, options.event_exchange, "#", how);
  if (!opened)
    return opened.error();
  if (!*opened)
    return error{errc::unsupported, "over this broker there are no events"};
  return event_feed{std::move(*opened), std::move(rules)};
}

expected<std::vector<event>>
event_feed::next(std::chrono::milliseconds timeout) {
  auto heard = events_->next(timeout);
  if (!heard)
    return heard.error();
  if (!*heard)
    return std::vector<event>{};
  auto batch = parse_events((*heard)->payload, rules_);
  if (!batch)
    return std::vector<event>{};
  return std::move(batch->events);
}

} // namespace umbel
