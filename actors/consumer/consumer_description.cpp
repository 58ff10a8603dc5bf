// What the consumer says of itself and of what it waits for.
#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

namespace umbel {

unfinished_tasks consumer_state::unfinished_now() const {
  unfinished_tasks result;
  auto t = steady_now();
  for (auto& [id, r] : requests) {
    auto& entry = result.tasks.emplace_back(r.display_name(), std::nullopt);
    if (r.begun)
      entry.running = std::chrono::duration<double>(t - *r.begun).count();
  }
  return result;
}

/// While the broker takes nothing in the writer answers nobody: that is as if there
/// were no connection.
appetite consumer_state::appetite_now() const {
  if (options.is_blocked())
    return {false, delivered, {}, {}};
  return {reader && outstanding > 0 && !drain_requester, delivered, reader,
          writer};
}

description consumer_state::own_description() const {
  // The reader may be waiting for messages: let it see that it is asked, too.
  options.interrupt_reader();
  return describe_self(
      self, fmt::format("{} unfinished, {} of them held for their time, "
                        "prefetch {}, {} batches to confirm{}{}{}",
                        requests.size(), num_held, window.base(),
                        settlements.unconfirmed().size(),
                        options.is_blocked() ? ", the broker takes nothing in"
                                             : "",
                        drain_requester ? ", draining" : "",
                        duplicates > 0
                            ? fmt::format(", {} duplicates refused", duplicates)
                            : ""));
}

} // namespace umbel
