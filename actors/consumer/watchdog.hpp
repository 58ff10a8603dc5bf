// watchdog: finds a worker that is alive and deaf.
//
//  1. asks the consumer, once in an interval, whether there has been room all the
//     time and nothing came;
//  2. if so, has the writer count what waits in the queues, and calls the reader;
//  3. ends if messages waited at two looks in a row and none came in between, or
//     if one of them does not answer: it is the first child of `connections`, so
//     that all of them are built anew behind it;
//  4. ends the worker if that has not helped several times in a row. Not for a
//     silent writer: then the broker is away, and may be for as long as it likes.
//
// An idle worker costs one look in an interval, a busy one nothing. What a lost
// connection says itself is not its business.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace umbel {

/// What a watchdog leaves to the next one of the same consumer.
struct watchdog_memory {
  uint64_t delivered = 0; ///< up to then
  size_t rebuilds = 0;    ///< since then
};

struct watchdog_state {
  static inline const char* name = "watchdog";

  /// So often the connections are built anew before the worker ends.
  static constexpr size_t rebuilds_max = 3;

  void on_appetite(const appetite& x);
  void on_waiting(const waiting_messages& x);
  void bite(const std::string& seen);
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  caf::timespan interval{0};
  caf::actor consumer;
  std::shared_ptr<watchdog_memory> memory;
  std::optional<appetite> before; ///< one interval ago
  caf::actor asked;  ///< the writer that has not answered yet
  caf::actor called; ///< the reader that has not answered yet
  bool suspicious = false; ///< messages waited at the last look
};

/// @param interval how long nothing may come while messages wait; it takes up to
///                 three of them to be sure
caf::behavior watchdog(caf::stateful_actor<watchdog_state>* self,
                       caf::timespan interval, caf::actor consumer,
                       std::shared_ptr<watchdog_memory> memory);

} // namespace umbel
