#include "actors/cluster/publisher.hpp"

#include "actors/consumer/messages.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

bool publisher_state::connect() {
  if (connection)
    return true;
  auto options = life->options;
  options.queues.clear();
  auto opened = connect_broker(life->broker_url, options);
  if (!opened) {
    fail(opened.error());
    return false;
  }
  connection = std::move(*opened);
  return true;
}

/// @returns whether there is a connection still
bool publisher_state::publish(const publish_message& x) {
  if (!connect())
    return false;
  auto done = connection->publish(x.exchange, x.routing_key, x.payload,
                                  x.priority);
  if (done)
    return true;
  auto why = done.error();
  if (why.code == errc::unavailable || why.code == errc::timeout) {
    fail(why);
    return false;
  }
  spdlog::error("cannot publish to the exchange {}: {}", x.exchange, why.what);
  return true;
}

void publisher_state::publish(const publish_events& x) {
  for (auto& message : x.messages)
    if (!publish(message))
      return;
  self->send(events, events_published{});
}

void publisher_state::fail(const error& x) {
  connection.reset();
  self->quit(life->end_of_connection(x));
}

caf::behavior publisher(caf::stateful_actor<publisher_state>* self,
                        std::shared_ptr<incarnation> life, caf::actor events,
                        caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.events = std::move(events);
  self->send(writer, await_writer{});
  return {
    [self](const writer_up&) {
      if (auto& events = self->state.events)
        self->send(events, publisher_up{self});
    },
    [self](const publish_message& x) { self->state.publish(x); },
    [self](const publish_events& x) { self->state.publish(x); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(self, st.connection ? st.connection->location()
                                               : "nothing said yet");
    },
  };
}

} // namespace umbel
