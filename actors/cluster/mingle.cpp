#include "actors/cluster/mingle.hpp"

#include "actors/actor_now.hpp"
#include "actors/consumer/messages.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/control/control_reply.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/time.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using listen_atom = caf::atom_constant<caf::atom("listen")>;

} // namespace

json::object revoked_document(const revoked_list& x) {
  json::object result;
  // Python reads the times as its own monotonic ones; whole numbers it does not
  // read at all, hence doubles.
  for (auto& [id, time] : x.ids)
    result[id] = json::array{
      std::chrono::duration<double>(time.time_since_epoch()).count(), id};
  return result;
}

void mingle_state::connect() {
  address.exchange = options.reply_exchange;
  address.routing_key = make_uuid();
  address.ticket = make_uuid();
  auto opened = options.open(address.routing_key);
  if (!opened) {
    spdlog::warn("mingle: {}", opened.error().what);
    return self->quit();
  }
  mailbox = std::move(*opened);
  self->request(consumer, patience, list_revoked{})
    .then([this](const revoked_list& x) { say_hello(x); },
          [this](const caf::error&) { self->quit(); });
}

void mingle_state::say_hello(const revoked_list& ours) {
  spdlog::info("mingle: searching for neighbors");
  control_request hello;
  hello.method = "hello";
  hello.arguments = {{"from_node", options.node.str()},
                     {"revoked", revoked_document(ours)}};
  hello.reply_to = address;
  hello.clock = options.clock->forward();
  self->send(writer,
             publish_message{options.control_exchange, "",
                             make_control_request(hello, {}, now() + patience,
                                                  options.control_exchange)});
  deadline = actor_now(self) + patience;
  self->send(self, listen_atom::value);
}

void mingle_state::listen() {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
    deadline - actor_now(self));
  if (left.count() <= 0)
    return end();
  auto heard = mailbox->next(std::min<std::chrono::milliseconds>(left,
                                                                   wait_max));
  if (!heard) {
    spdlog::warn("mingle: {}", heard.error().what);
    return self->quit();
  }
  if (*heard)
    on_message((*heard)->payload);
  self->send(self, listen_atom::value);
}

void mingle_state::on_message(const std::string& payload) {
  auto x = parse_control_reply(payload, options.content);
  if (!x)
    return spdlog::warn("mingle: {}", x.error().what);
  if (x->ticket == address.ticket)
    for (auto& [node, answer] : x->answers)
      on_answer(node.str(), answer);
}

void mingle_state::on_answer(const std::string& node, const json::value& answer) {
  // This node's own is null.
  auto fields = answer.if_object();
  if (fields == nullptr || node == options.node.str())
    return;
  ++nodes;
  spdlog::debug("mingle: processing reply from {}", node);
  if (auto clock = remote::find(*fields, "clock"); clock && clock->is_int64())
    options.clock->adjust(static_cast<uint64_t>(
      std::max<int64_t>(0, clock->get_int64())));
  learn_revoked theirs;
  if (auto ids = remote::find(*fields, "revoked"); ids && ids->is_object())
    for (auto& [id, time] : ids->get_object())
      theirs.ids.emplace_back(std::string{id});
  if (!theirs.ids.empty())
    self->send(consumer, std::move(theirs));
}

void mingle_state::end() {
  if (nodes == 0) {
    spdlog::info("mingle: all alone");
  } else {
    spdlog::info("mingle: sync with {} nodes", nodes);
    spdlog::info("mingle: sync complete");
  }
  mailbox.reset();
  self->quit();
}

caf::behavior mingle(caf::stateful_actor<mingle_state>* self,
                     mingle_options options, caf::actor consumer,
                     caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.consumer = std::move(consumer);
  st.writer = std::move(writer);
  self->send(st.writer, await_writer{});
  return {
    [self](const writer_up&) { self->state.connect(); },
    [self](listen_atom) { self->state.listen(); },
    [self](describe_atom) {
      return describe_self(self, self->state.mailbox ? "waits for answers"
                                                     : "not connected");
    },
  };
}

} // namespace umbel
