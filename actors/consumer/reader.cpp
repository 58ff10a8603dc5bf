#include "actors/consumer/reader.hpp"

#include "actors/consumer/courier.hpp"
#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <utility>

namespace umbel {

namespace {

using fetch_atom = caf::atom_constant<caf::atom("fetch")>;
using idle_atom = caf::atom_constant<caf::atom("idle")>;

} // namespace

reader_state::~reader_state() {
  if (life)
    life->clear_reader(connection.get());
}

void reader_state::connect() {
  auto options = life->options;
  options.first_sequence = life->next_sequence;
  options.lease_is_kept = true;
  options.queues = life->queues->list();
  if (can_be_polled(life->broker_url))
    return connect_polled(options);
  auto opened = connect_broker(life->broker_url, options);
  if (!opened)
    return fail_to_connect(opened.error());
  connection = std::move(*opened);
  if (auto declared = connection->declare(options.queues); !declared)
    return fail_to_connect(declared.error());
  location = connection->location();
  life->retries.succeeded();
  life->set_reader(connection.get());
  auto terms = connection->reserved_until();
  // What came back to where its task still runs must not wait for credit: the
  // broker would give it to somebody else.
  if (terms.ends_with_connection && life->next_sequence > 1) {
    if (auto begun = connection->reserve(0); !begun)
      return fail(begun.error());
    pause_soon();
  }
  self->send(consumer, reader_up{self, std::move(terms)});
}

void reader_state::connect_polled(const broker_options& options) {
  auto opened = connect_polled_broker(life->broker_url, options);
  if (!opened)
    return fail_to_connect(opened.error());
  if (auto declared = (*opened)->declare(options.queues); !declared)
    return fail_to_connect(declared.error());
  location = (*opened)->location();
  life->retries.succeeded();
  hands = self->spawn<caf::linked>(
      courier, life, consumer, writer,
      std::shared_ptr<polled_broker>{std::move(*opened)});
}

void reader_state::fetch() {
  fetching = false;
  if (credit == 0 || !connection)
    return;
  ++fetches;
  if (drained) {
    drained = false;
    if (auto waited = connection->wait(wait_max); !waited)
      return fail(waited.error());
  } else {
    auto wanted = std::min(credit, batch_max);
    auto batch = connection->reserve(wanted);
    if (!batch)
      return fail(batch.error());
    drained = batch->size() < wanted;
    credit -= std::min(credit, batch->size());
    if (!batch->empty()) {
      life->reserved(*batch);
      self->send(consumer, deliveries{std::move(*batch)});
    }
  }
  fetching = credit > 0;
  if (fetching)
    self->send(self, fetch_atom::value);
  else
    pause_soon();
}

void reader_state::consume_anew() {
  if (!connection)
    return;
  if (auto done = connection->consume(life->queues->list()); !done)
    return fail(done.error());
  drained = false;
}

bool reader_state::pause() {
  if (connection)
    if (auto done = connection->pause(); !done) {
      fail(done.error());
      return false;
    }
  return true;
}

void reader_state::pause_soon() {
  if (std::exchange(pause_pending, true))
    return;
  self->delayed_send(self, keep_ahead, idle_atom::value, fetches);
}

void reader_state::on_idle(uint64_t fetches_then) {
  pause_pending = false;
  if (credit > 0)
    return;
  if (fetches == fetches_then)
    pause();
  else
    pause_soon();
}

void reader_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

void reader_state::fail_to_connect(const error& x) {
  self->quit(life->end_of_attempt(x));
}

std::string reader_state::describe() const {
  if (location.empty())
    return "not connected";
  return hands ? location : location + ", credit " + std::to_string(credit);
}

caf::behavior reader(caf::stateful_actor<reader_state>* self,
                     std::shared_ptr<incarnation> life, caf::actor consumer,
                     caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.consumer = std::move(consumer);
  st.writer = std::move(writer);
  self->send(st.writer, await_writer{});
  return {
    [self](const writer_up&) { self->state.connect(); },
    [self](credit x) {
      auto& st = self->state;
      st.credit += x.messages;
      if (!st.fetching)
        st.fetch();
    },
    [self](describe_atom) {
      std::vector<described_child> children;
      if (self->state.hands)
        children.push_back({"courier", self->state.hands, {}});
      return describe_self(self, self->state.describe(), std::move(children));
    },
    [self](fetch_atom) { self->state.fetch(); },
    [self](idle_atom, uint64_t fetches) { self->state.on_idle(fetches); },
    [self](call_reader) {
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 reader_alive{});
    },
    [self](queues_changed) {
      self->state.consume_anew();
      return queues_taken{};
    },
    [self](pause_reader) {
      auto& st = self->state;
      st.credit = 0;
      if (st.pause())
        self->send(st.consumer, reader_paused{});
    },
  };
}

} // namespace umbel
