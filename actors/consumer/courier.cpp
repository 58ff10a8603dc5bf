#include "actors/consumer/courier.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace umbel {

namespace {

using readable_atom = caf::atom_constant<caf::atom("readable")>;
using look_atom = caf::atom_constant<caf::atom("look")>;
using settle_atom = caf::atom_constant<caf::atom("settle")>;

} // namespace

void courier_state::advance() {
  auto news = connection->advance();
  if (!news)
    return fail(news.error());
  if (news->reserved)
    on_batch(std::move(*news->reserved));
  if (news->settled)
    on_settled();
  fetch();
}

void courier_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

std::string courier_state::describe() const {
  return fmt::format("{}, credit {}, {} settlements pending",
                     connection->location(), credit, pending.size());
}

// -- reserving ------------------------------------------------------------------

void courier_state::fetch() {
  bool asks = true;
  while (credit > 0 && wanted == 0 && !changing && asks) {
    wanted = std::min(credit, batch_max);
    auto known = connection->begin_reserve(wanted);
    if (!known)
      return fail(known.error());
    if (*known) {
      asks = !(*known)->empty(); // there are queues
      on_batch(std::move(**known));
    }
  }
}

void courier_state::on_batch(std::vector<delivery> batch) {
  wanted = 0;
  credit -= std::min(credit, batch.size());
  if (!batch.empty()) {
    life->reserved(batch);
    self->send(consumer, deliveries{std::move(batch)});
  }
  if (std::exchange(pausing, false))
    self->send(consumer, reader_paused{});
  for (auto& x : callers)
    self->send(x, reader_alive{});
  callers.clear();
}

void courier_state::on_call(caf::actor caller) {
  // While an answer is overdue, the broker's silence is ours.
  if (wanted > 0) {
    callers.push_back(std::move(caller));
    hurry();
  } else {
    self->send(caller, reader_alive{});
  }
}

void courier_state::pause() {
  credit = 0;
  if (wanted > 0) {
    pausing = true;
    hurry();
  } else {
    self->send(consumer, reader_paused{});
  }
}

void courier_state::hurry() {
  if (auto ok = connection->hurry(); !ok)
    fail(ok.error());
}

caf::result<queues_taken> courier_state::consume_anew() {
  changing = wanted > 0; // what is on its way is by the old list
  if (changing) {
    hurry();
    return caf::skip();
  }
  connection->consume(life->queues->list());
  fetch();
  return queues_taken{};
}

// -- settling -------------------------------------------------------------------

void courier_state::add(const settle_batch& x) {
  pending.add(x);
  // The message to itself queues up behind all batches that already wait in
  // the mailbox: they share one round trip.
  if (!settle_under_way && !settling) {
    settle_under_way = true;
    self->send(self, settle_atom::value);
  }
}

void courier_state::settle() {
  settle_under_way = false;
  if (settling || pending.size() == 0)
    return;
  settling = settled_batch{pending.last_number(), pending.due()};
  if (auto ok = connection->begin_settle(pending.take()); !ok)
    fail(ok.error());
}

void courier_state::on_settled() {
  if (settling->due)
    self->send(writer, delayed_until{*settling->due});
  self->send(consumer, confirmed{settling->number});
  settling.reset();
  settle();
}

// -- behavior -------------------------------------------------------------------

caf::behavior courier(caf::stateful_actor<courier_state>* self,
                      std::shared_ptr<incarnation> life, caf::actor consumer,
                      caf::actor writer,
                      std::shared_ptr<polled_broker> connection) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.consumer = std::move(consumer);
  st.writer = std::move(writer);
  st.connection = std::move(connection);
  st.watch.emplace(self->system(), st.connection->descriptor(),
                   [hdl = caf::actor{self}] {
                     caf::anon_send(hdl, readable_atom::value);
                   });
  if (st.connection->stores_results())
    self->send(st.consumer, settler_up{self});
  self->send(st.consumer, reader_up{self});
  self->send(self, look_atom::value);
  return {
    [self](readable_atom) { self->state.advance(); },
    [self](look_atom) {
      self->state.advance();
      self->delayed_send(self, poll_interval, look_atom::value);
    },
    [self](credit x) {
      self->state.credit += x.messages;
      self->state.fetch();
    },
    [self](pause_reader) { self->state.pause(); },
    [self](queues_changed) { return self->state.consume_anew(); },
    [self](call_reader) {
      self->state.on_call(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](const settle_batch& x) { self->state.add(x); },
    [self](settle_atom) { self->state.settle(); },
    [self](describe_atom) {
      return describe_self(self, self->state.describe());
    },
  };
}

} // namespace umbel
