#include "actors/caller/caller.hpp"

#include "actors/cluster/messages.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/backend/document.hpp"
#include "protocol/client/sent_events.hpp"
#include "protocol/message/uniqueness.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace umbel {

namespace {

using serve_atom = caf::atom_constant<caf::atom("serve")>;

/// Whether this document is the last one of its task.
bool is_end(serializer how, const std::string& document) {
  auto parsed = parse_document(how, document);
  auto* status = parsed ? parsed->if_contains("status") : nullptr;
  return status
         && (*status == "SUCCESS" || *status == "FAILURE"
             || *status == "REVOKED");
}

} // namespace

caller_state::~caller_state() {
  if (calls) {
    calls->attach(caf::actor{});
    calls->attach(static_cast<result_listener*>(nullptr));
  }
}

void caller_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

/// @returns whether there are connections now
bool caller_state::connect() {
  if (listening)
    return true;
  auto listener = connect_result_listener(life->result_url,
                                          life->options.results);
  if (!listener) {
    // No other connection will help.
    if (listener.error().code == errc::unsupported)
      calls->fail_all(listener.error());
    else
      fail(listener.error());
    return false;
  }
  auto options = life->options;
  options.queues.clear();
  auto broker = connect_broker(life->broker_url, options);
  if (!broker) {
    fail(broker.error());
    return false;
  }
  // What the one before me waited for, and may have missed.
  auto waiting = calls->waiting();
  if (auto done = (*listener)->subscribe(waiting); !done) {
    fail(done.error());
    return false;
  }
  if (!waiting.empty()) {
    auto store = connect_result_store(life->result_url, life->options.results);
    if (!store) {
      fail(store.error());
      return false;
    }
    for (auto& id : waiting) {
      auto document = (*store)->fetch(id);
      if (!document) {
        fail(document.error());
        return false;
      }
      if (*document && is_end(life->results, **document))
        calls->finish(id, std::move(**document));
    }
  }
  listening = std::move(*listener);
  publishing = std::move(*broker);
  calls->attach(listening.get());
  return true;
}

void caller_state::serve() {
  serving = false;
  if (!calls->begin_round())
    return;
  if (auto done = answer_questions(); !done)
    return fail(done.error());
  if (calls->idle() || !connect())
    return;
  if (auto done = exchange(); !done)
    return fail(done.error());
  serving = true;
  self->send(self, serve_atom::value);
}

expected<void> caller_state::answer_questions() {
  for (auto& x : calls->questions()) {
    auto texts = look_up(x.what.words);
    // Another connection may know more. What the server refuses, it would refuse
    // again.
    if (!texts && (texts.error().code == errc::unavailable
                   || texts.error().code == errc::timeout))
      return texts.error();
    calls->answer(x.number, std::move(texts));
  }
  return {};
}

expected<std::vector<std::string>>
caller_state::look_up(const std::vector<std::string>& ids) {
  if (!looking) {
    auto store = connect_result_store(life->result_url, life->options.results);
    if (!store)
      return store.error();
    looking = std::move(*store);
  }
  std::vector<std::string> found;
  for (auto& id : ids) {
    auto document = looking->fetch(task_id{id});
    if (!document)
      return document.error();
    found.push_back(std::move(*document).value_or(""));
  }
  return found;
}

/// Leaves those in the list that were published; who has called another one, a
/// unique task that is there already, is told so.
expected<void> caller_state::publish(std::vector<call_table::unsent>& calls) {
  std::vector<outgoing_message> messages;
  std::vector<call_table::unsent> checked;
  for (auto& x : calls)
    if (read_unique_terms(x.message.payload))
      checked.push_back(x);
    else
      messages.push_back(x.message);
  if (!messages.empty())
    if (auto done = publishing->publish(messages); !done)
      return done;
  for (auto& x : checked) {
    auto done = keeps_unique_keys(life->broker_url)
                  ? publishing->publish({&x.message, 1})
                  : error{errc::refused, publishing->location()
                                           + " keeps no keys of unique tasks"};
    if (done)
      continue;
    auto why = done.error().code;
    if (why != errc::duplicate && why != errc::refused)
      return done;
    std::erase_if(calls, [&](auto& y) { return y.id == x.id; });
    this->calls->finish(x.id, done.error());
  }
  return {};
}

expected<void> caller_state::exchange() {
  if (auto fresh = calls->to_publish(); !fresh.empty()) {
    std::vector<task_id> ids;
    for (auto& x : fresh)
      ids.push_back(x.id);
    if (auto done = listening->subscribe(ids); !done)
      return done;
    if (auto done = publish(fresh); !done)
      return done;
    calls->published(fresh);
    if (events)
      tell_sent(fresh);
  }
  if (auto gone = calls->take_forgotten(); !gone.empty())
    if (auto done = listening->unsubscribe(gone); !done)
      return done;
  if (calls->empty())
    return {};
  auto arrived = listening->wait(wait_max);
  if (!arrived)
    return arrived.error();
  for (auto& x : *arrived)
    if (is_end(life->results, x.document))
      calls->finish(x.id, std::move(x.document));
  return {};
}

void caller_state::tell_sent(const std::vector<call_table::unsent>& published) {
  for (auto& x : published) {
    emit_event said{"task-sent", sent_event_fields(x.message), {}};
    said.own = true;
    if (!said.fields.empty())
      self->send(events, std::move(said));
  }
}

caf::behavior caller(caf::stateful_actor<caller_state>* self,
                     std::shared_ptr<incarnation> life,
                     std::shared_ptr<call_table> calls, caf::actor events) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.calls = std::move(calls);
  st.events = std::move(events);
  st.calls->attach(caf::actor{self});
  self->send(self, calls_changed{});
  return {
    [self](calls_changed) {
      if (!self->state.serving)
        self->state.serve();
    },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(self, st.publishing ? st.publishing->location()
                                               : "no call yet");
    },
    [self](serve_atom) { self->state.serve(); },
  };
}

} // namespace umbel
