// event dispatcher: tells whoever listens what happens (contract section 7).
//
//  1. gets events from consumer and heartbeat, and gives each its logical time;
//  2. sends worker events and tasks' own ones one by one, and task events
//     together, as many as have come since it looked, up to `batch_max`;
//  3. hands them to whoever publishes (the writer), a few messages at a time;
//  4. turns task events on and off;
//  5. tells a worker that ends when nothing waits to be said any more.
//
// While task events are off nobody sends it any, but for tasks' own: whoever would
// asks the switch first, and then does nothing more.
//
// A message whose connection is lost on the way is sent again by the next one:
// a monitor may then hear it twice. Both may be answered: what is sent is numbered.
//
// Bounds: `waiting_max` messages while the broker is away or slow; then the
// oldest go, and the log says how many. The root supervisor starts it before the
// consumer.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/control/event.hpp"
#include "protocol/control/logical_clock.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace umbel {

/// Whether task events are wanted. The dispatcher turns it; any thread may look.
using event_switch = std::atomic<bool>;

struct event_options {
  event_source source;
  std::shared_ptr<logical_clock> clock = std::make_shared<logical_clock>();
  std::shared_ptr<event_switch> task_events
    = std::make_shared<event_switch>(false);
  std::function<timestamp()> now = umbel::now; ///< tests pass a simulated one
};

struct event_dispatcher_state {
  static inline const char* name = "event_dispatcher";

  /// Celery's buffer_limit.
  static constexpr size_t batch_max = 24;

  /// Messages that whoever publishes has at most at a time.
  static constexpr size_t ahead_max = 16;

  static constexpr size_t waiting_max = 1'000;

  /// So long a worker that ends waits for what is still to be said.
  static constexpr auto farewell_max = std::chrono::seconds{1};

  void on_event(const emit_event& x);
  bool on_switch(bool on);
  void on_publisher(caf::actor x);
  void close_batch();
  void add(std::string routing_key, std::string body);
  void publish();
  void on_published(uint64_t number);
  void on_finish(caf::actor whom);
  void finish();
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  event_options options;
  caf::actor publisher; ///< null while there is no connection
  std::string batch;    ///< task events: "[{...}, {...}"
  size_t batch_size = 0;
  std::deque<publish_message> waiting;
  size_t under_way = 0;   ///< the first of these, which the publisher has
  uint64_t number = 0;    ///< of what it has, or had last
  caf::actor waits_for_end; ///< null: nobody does
  bool offline = false;   ///< has said so: it will not come back
  uint64_t sent = 0;
  uint64_t dropped = 0; ///< messages
};

caf::behavior event_dispatcher(
  caf::stateful_actor<event_dispatcher_state>* self, event_options options);

} // namespace umbel
