#include "actors/consumer/writer.hpp"

#include "actors/supervision/supervision_errc.hpp"
#include "protocol/backend/amqp/amqp_result_store.hpp"
#include "protocol/backend/rpc/rpc_result_store.hpp"
#include "protocol/backend/workflow_store.hpp"
#include "protocol/broker/polled.hpp"
#include "protocol/message/envelope.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <set>
#include <string>
#include <utility>

namespace umbel {

namespace {

using connect_atom = caf::atom_constant<caf::atom("connect")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;

/// Whether something is stored before it is settled.
bool writes_elsewhere(const settlement& x) {
  return x.result || !x.workflow.empty();
}

} // namespace

/// What the lease covered is somebody else's: nothing more is reserved, and
/// nothing settled, in the name that it was reserved in.
void writer_state::begin_anew() {
  if (!life->lost.exchange(false))
    return;
  // Nobody else reads them now: those who would are started after this one.
  life->options.incarnation = make_uuid().substr(0, 8);
  life->next_sequence = 1;
  life->known = false;
  spdlog::warn("{} goes on as {}", life->options.node.str(),
               life->options.incarnation);
}

expected<void> writer_state::renew(std::span<const delivery_tag> tags) {
  auto asked = std::chrono::steady_clock::now();
  if (auto renewed = connection->renew(tags); !renewed)
    return renewed;
  look_at_lease();
  if (connection)
    self->send(consumer, lease_renewed{asked + life->options.lease});
  return {};
}

void writer_state::look_at_lease() {
  // The first renewal of an incarnation makes the lease.
  if (!life->known.exchange(true))
    return;
  auto state = connection->lease();
  if (state == lease_state::held)
    return;
  self->send(consumer, lease_lapsed{});
  if (state == lease_state::lapsed)
    return spdlog::warn("the lease of {} had ended and is held again",
                        life->options.incarnation);
  life->lost = true;
  connection.reset();
  self->quit(make_error(supervision_errc::lease_lost,
                        "the lease of " + life->options.incarnation
                          + " had ended, and others have what it covered"));
}

expected<std::unique_ptr<result_store>> writer_state::open_results() {
  auto& url = life->result_url;
  if (amqp::is_amqp(url.substr(0, url.find("://"))))
    return amqp::amqp_result_store::open(url, life->options, life->results);
  return connect_result_store(url, life->options.results);
}

void writer_state::connect() {
  begin_anew();
  // What has cost a predecessor its connection may have cost the publisher its own.
  if (outbound)
    self->send(outbound, look_after{});
  auto opened = connect_broker(life->broker_url, life->options);
  if (!opened)
    return fail_to_connect(opened.error());
  connection = std::move(*opened);
  if (is_rpc(life->result_url)) {
    results = std::make_unique<rpc_result_store>(*connection, life->results);
  } else if (!connection->stores_results()) {
    auto store = open_results();
    if (!store)
      return fail_to_connect(store.error());
    results = std::move(*store);
  }
  // The lease must be there before the first message is reserved under it.
  if (auto renewed = renew({}); !renewed)
    return fail_to_connect(renewed.error());
  if (!connection)
    return;
  // Known before the first message is reserved.
  auto revoked = connection->revoked();
  if (!revoked)
    return fail_to_connect(revoked.error());
  if (results || !can_be_polled(life->broker_url))
    self->send(consumer, settler_up{self});
  self->send(consumer, writer_up{self, std::move(*revoked)});
  for (auto& x : waiting)
    self->send(x, writer_up{self});
  waiting.clear();
}

void writer_state::on_await(caf::actor x) {
  if (!connection)
    return waiting.push_back(std::move(x));
  // Who asks as late as this may be new because its predecessor lost a connection.
  // This one may be lost as well, and nobody has noticed while it was idle.
  if (check(renew({})) && connection)
    self->send(x, writer_up{self});
}

void writer_state::add(const settle_batch& x) {
  pending.add(x);
  flush_soon();
}

void writer_state::flush_soon() {
  // The message to itself queues up behind all batches that already wait in
  // the mailbox: they share one round trip.
  if (!flush_under_way) {
    flush_under_way = true;
    self->send(self, flush_atom::value);
  }
}

/// What was lost is no longer this worker's to write.
bool writer_state::drop_lost(std::vector<settlement>& batch) {
  std::vector<delivery_tag> fenced;
  for (auto& x : batch)
    if (writes_elsewhere(x) && x.how != disposition::none)
      fenced.push_back(x.tag);
  auto owned = connection->owned(fenced);
  if (!owned) {
    fail(owned.error());
    return false;
  }
  size_t i = 0;
  for (auto& x : batch)
    if (writes_elsewhere(x) && x.how != disposition::none && !(*owned)[i++]) {
      x.result.reset();
      x.workflow = {};
    }
  return true;
}

bool writer_state::store_results(std::vector<settlement>& batch) {
  std::vector<result_record> records;
  for (auto& x : batch) {
    if (x.result)
      records.push_back(std::move(*x.result));
    x.result.reset();
    std::ranges::move(x.workflow.results, std::back_inserter(records));
    x.workflow.results.clear();
  }
  return records.empty() || check(results->store(records));
}

bool writer_state::count_chords(std::vector<settlement>& batch,
                                std::vector<last_part>& ended) {
  std::vector<group_record> groups;
  std::vector<chord_part> parts;
  std::vector<size_t> of;
  for (size_t i = 0; i < batch.size(); ++i) {
    auto& x = batch[i].workflow;
    std::ranges::move(x.groups, std::back_inserter(groups));
    for (auto& part : x.parts) {
      parts.push_back(std::move(part));
      of.push_back(i);
    }
    x.groups.clear();
    x.parts.clear(); // its results are the broker's to store
  }
  if (groups.empty() && parts.empty())
    return true;
  auto* counter = workflows_of(results.get());
  if (!counter) // children have been told that nobody counts
    return true;
  auto follows = counter->count(groups, parts);
  if (!follows) {
    fail(follows.error());
    return false;
  }
  std::set<std::pair<std::string, std::string>> last; // of chords that have ended
  for (size_t i = 0; i < parts.size(); ++i) {
    if ((*follows)[i].empty())
      continue;
    // A task that was sent twice may have ended twice in this very batch.
    if (!last.emplace(parts[i].group, parts[i].task.str()).second)
      continue;
    for (auto& message : (*follows)[i])
      batch[of[i]].publish.push_back({std::move(message.queue),
                                      message.priority,
                                      std::move(message.payload.front()),
                                      std::move(message.exchange),
                                      std::move(message.routing_key)});
    ended.push_back({of[i], std::move(parts[i])});
  }
  return true;
}

/// What was lost meanwhile is not published: whoever has it counts it again. What was
/// acknowledged early cannot be lost: if it takes no effect, it has had it before.
bool writer_state::finish_chords(std::vector<last_part>& ended,
                                 const std::vector<settlement>& batch,
                                 const std::vector<bool>& settled) {
  std::vector<chord_part> published;
  for (auto& x : ended)
    if (settled[x.settlement]
        || batch[x.settlement].how == disposition::none)
      published.push_back(std::move(x.part));
  return published.empty() || check(workflows_of(results.get())->finish(published));
}

void writer_state::flush() {
  flush_under_way = false;
  if (!connection)
    return;
  auto due = pending.due();
  auto batches = pending.batches();
  auto batch = pending.take();
  hold_back(batch, batches);
  if (batch.empty())
    return;
  std::vector<last_part> ended;
  if (results && (!drop_lost(batch) || !store_results(batch)))
    return;
  if (!connection->counts_chords() && !count_chords(batch, ended))
    return;
  if (outbound)
    hand_over(batch, ended, batches);
  auto settled = connection->settle(batch);
  if (!settled)
    return fail(settled.error());
  if (!finish_chords(ended, batch, *settled))
    return;
  if (due)
    on_delayed(*due);
  confirm(batches);
}

/// What the broker refuses holds up nobody: the task counts as having its key.
expected<std::vector<std::string>>
writer_state::claim(std::span<const key_claim> claims) {
  auto holders = connection->claim_keys(claims);
  if (holders || holders.error().code == errc::unavailable
      || holders.error().code == errc::timeout)
    return holders;
  spdlog::warn("unique tasks may run twice: {}", holders.error().what);
  std::vector<std::string> own;
  for (auto& x : claims)
    own.push_back(x.wanted.id);
  return own;
}

void writer_state::on_delayed(timestamp due) {
  if (forwarder)
    self->send(forwarder, delayed_until{due});
}

void writer_state::forward(caf::actor whom) {
  auto report = connection->forward();
  if (!report)
    return fail(report.error());
  forwarder = std::move(whom);
  self->send(forwarder, forwarded{report->next});
}

void writer_state::tell_of_turns() {
  if (connection->shares_turns() || std::exchange(life->told_of_turns, true))
    return;
  spdlog::warn("{} cannot count for all workers: rate limits of the cluster "
               "hold for each worker alone",
               connection->location());
}

void writer_state::publish(const publish_message& x) {
  if (outbound)
    self->send(outbound, x);
  else
    check(publish_or_log(*connection, x));
}

/// As what follows from a task: there is only nothing to be acknowledged.
void writer_state::publish(const publish_tasks& x) {
  std::vector<settlement> batch(1);
  batch[0].tag = delivery_tag{make_uuid()};
  batch[0].how = disposition::none;
  batch[0].publish = x.messages;
  batch[0].workflow.groups = x.groups;
  std::vector<last_part> ended;
  if (!connection->counts_chords() && !count_chords(batch, ended))
    return;
  if (outbound)
    hand_over(batch, ended, {}); // no batch of the consumer's waits for it
  if (auto done = connection->settle(batch); !done)
    fail(done.error());
}

void writer_state::publish(const publish_events& x, const caf::actor& whom) {
  if (outbound)
    return caf::send_as(whom, outbound, x);
  for (auto& message : x.messages)
    if (!check(publish_or_log(*connection, message)))
      return;
  self->send(whom, events_published{x.number});
}

bool writer_state::check(const expected<void>& x) {
  if (!x)
    fail(x.error());
  return x.has_value();
}

void writer_state::fail(const error& x) {
  connection.reset();
  self->quit(life->end_of_connection(x));
}

void writer_state::fail_to_connect(const error& x) {
  connection.reset();
  self->quit(life->end_of_attempt(x));
}

void writer_state::count(const caf::actor& whom) {
  waiting_messages result;
  for (auto& queue : life->queues->list()) {
    auto size = connection->size(queue);
    if (!size)
      return fail(size.error());
    result = {queue, *size};
    if (*size > 0)
      break;
  }
  self->send(whom, std::move(result));
}

caf::behavior writer(caf::stateful_actor<writer_state>* self,
                     std::shared_ptr<incarnation> life, caf::actor consumer,
                     caf::actor outbound) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.consumer = std::move(consumer);
  st.outbound = std::move(outbound);
  self->send(self, connect_atom::value);
  return {
    [self](connect_atom) { self->state.connect(); },
    [self](await_writer) {
      self->state.on_await(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](const settle_batch& x) { self->state.add(x); },
    [self](delayed_until x) { self->state.on_delayed(x.due); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(
          self, st.connection ? st.connection->location() + ", "
                                    + std::to_string(st.pending.size())
                                    + " settlements pending"
                              : std::string{"not connected"});
    },
    [self](flush_atom) { self->state.flush(); },
    [self](const settled_elsewhere& x) {
      self->state.on_settled_elsewhere(x);
    },
    [self](const renew_lease& x) {
      if (self->state.outbound)
        self->send(self->state.outbound, look_after{});
      self->state.check(self->state.renew(x.tags));
    },
    [self](queues_changed) {
      auto& st = self->state;
      st.check(st.connection->declare(st.life->queues->list()));
    },
    [self](const keep_revoked& x) {
      self->state.check(self->state.connection->remember_revoked(x.tasks));
      return caf::ok_atom::value;
    },
    [self](recover_lost) {
      auto report = self->state.connection->recover();
      if (!report)
        return self->state.fail(report.error());
      for (auto& owner : report->dead_owners)
        spdlog::warn("the lease of {} is gone", owner);
      if (report->restored > 0)
        spdlog::warn("restored {} messages that were left unacknowledged",
                     report->restored);
    },
    [self](forward_due) {
      self->state.forward(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](const take_turns& x) {
      auto answers = self->state.connection->take_turns(x.requests);
      if (!answers)
        return self->state.fail(answers.error());
      self->state.tell_of_turns();
      self->send(self->state.consumer, turns{x.ids, std::move(*answers)});
    },
    [self](const claim_keys& x) {
      auto holders = self->state.claim(x.claims);
      if (!holders)
        return self->state.fail(holders.error());
      self->send(self->state.consumer, key_holders{x.ids, std::move(*holders)});
    },
    [self](count_waiting) {
      self->state.count(caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](const publish_message& x) { self->state.publish(x); },
    [self](const publish_tasks& x) { self->state.publish(x); },
    [self](const publish_events& x) {
      self->state.publish(x,
                          caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](release_lease) {
      if (self->state.check(self->state.connection->release()))
        self->send(self->state.consumer, released{});
    },
  };
}

} // namespace umbel
