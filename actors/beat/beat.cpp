#include "actors/beat/beat.hpp"

#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/client/node_format.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <unistd.h>

namespace umbel {

namespace {

using tick_atom = caf::atom_constant<caf::atom("tick")>;
using connect_atom = caf::atom_constant<caf::atom("connect")>;

} // namespace

void beat_state::connect() {
  auto opened = options.connect();
  if (!opened)
    return fail(opened.error());
  connection = std::move(*opened);
  if (!plan->memory().publishes()) {
    auto once_opened = options.connect_once();
    if (!once_opened)
      return fail(once_opened.error());
    once = std::move(*once_opened);
  }
  if (auto done = plan->memory().connect(); !done)
    return fail(done.error());
  if (!look())
    return;
  options.on_running();
  tick();
}

/// @returns false if it has failed
bool beat_state::look() {
  next_look = self->clock().now() + plan->memory().look_interval();
  auto x = plan->memory().lead();
  if (!x) {
    fail(x.error());
    return false;
  }
  if (!x->leads) {
    stand_by(x->leader);
    return true;
  }
  auto done = x->anew ? plan->take_over(options.now())
                      : plan->update(x->changed, options.now());
  if (!done) {
    fail(done.error());
    return false;
  }
  if (!*done) {
    stand_by("another one");
    return true;
  }
  // What found no room before; that it does not has been said.
  if (auto saved = plan->save({}); saved && !*saved) {
    stand_by("another one");
    return true;
  }
  for (auto& name : x->changed)
    spdlog::info("beat: Entry '{}' was changed by a command", name);
  if (!std::exchange(leads, true))
    spdlog::info("beat: Leads, with {} entries in '{}'", plan->size(),
                 plan->memory().location());
  leader.reset();
  return true;
}

void beat_state::stand_by(const std::string& who) {
  if (leads || leader != who)
    spdlog::info("beat: Stands by, {} leads", who);
  leads = false;
  leader = who;
}

void beat_state::tick() {
  for (;;) {
    // Nothing is sent by a beat that may have lost the lead since it looked.
    if (self->clock().now() >= next_look && !look())
      return;
    if (!leads)
      break;
    auto now = options.now();
    auto due = plan->take_due(now, options.batch_max);
    if (due.empty())
      break;
    if (!send(due, now))
      return;
  }
  auto now = options.now();
  auto pause = options.max_interval;
  if (auto next = plan->next_due(); leads && next)
    pause = std::min<std::chrono::microseconds>(pause, *next - now);
  auto until_look = std::chrono::ceil<std::chrono::microseconds>(
    next_look - self->clock().now());
  pause = std::clamp(std::min(pause, until_look), std::chrono::microseconds{0},
                     options.max_interval);
  self->delayed_send(self, pause, tick_atom::value);
}

/// Those whose arguments cannot be computed, or whose queue is not known, are let go,
/// as Celery does.
std::vector<schedule::once_publisher::item>
beat_state::make_messages(const std::vector<beat_plan::due_entry>& due,
                          timestamp now) {
  std::vector<std::string> lazy;
  for (auto& x : due)
    if (x.what->lazy)
      lazy.push_back(x.what->name);
  std::map<std::string, computed_arguments> computed;
  if (!lazy.empty())
    computed = options.libraries.arguments(lazy);
  std::vector<schedule::once_publisher::item> result;
  for (auto& x : due) {
    auto& name = x.what->name;
    auto found = x.what->lazy ? computed.find(name) : computed.end();
    if (found != computed.end() && !found->second) {
      spdlog::error("Scheduler: Cannot compute the arguments of {}: {}", name,
                    found->second.error().what);
      continue;
    }
    spdlog::info("Scheduler: Sending due task {} ({})", name,
                 x.what->call.task);
    auto entry = *x.what;
    if (found != computed.end())
      std::tie(entry.call.args, entry.call.kwargs) = *found->second;
    auto message =
      schedule::make_message(entry, x.id, now, origin, options.routing);
    if (!message)
      spdlog::error("Scheduler: Cannot send {}: {}", name, message.error().what);
    else if (x.request != 0)
      result.push_back({'#' + name, x.request, std::move(*message)});
    else
      result.push_back(
        {name, x.due.time_since_epoch().count(), std::move(*message)});
  }
  return result;
}

/// In a step of its own.
expected<void> beat_state::publish(
  std::span<const schedule::once_publisher::item> items) {
  if (once)
    return once->publish(plan->identity(), items);
  std::vector<outgoing_message> messages;
  for (auto& x : items)
    messages.push_back(x.message);
  return messages.empty() ? expected<void>{} : connection->publish(messages);
}

/// What only the connection knows the way for. Where it goes to may be several queues,
/// and nothing says of each whether it was there: a crash before it is noted sends it
/// once more.
expected<void> beat_state::publish_through_exchanges(
  std::vector<schedule::once_publisher::item>& items) {
  std::vector<outgoing_message> messages;
  std::erase_if(items, [&](auto& x) {
    if (x.message.exchange.empty())
      return false;
    messages.push_back(std::move(x.message));
    return true;
  });
  return messages.empty() ? expected<void>{} : connection->publish(messages);
}

namespace {

/// A unique task that is there already is no failure; the others were sent.
expected<void> but_for_duplicates(expected<void> done) {
  if (done || done.error().code != errc::duplicate)
    return done;
  spdlog::warn("Scheduler: {}", done.error().what);
  return {};
}

} // namespace

/// @returns false if it has failed
bool beat_state::send(const std::vector<beat_plan::due_entry>& due,
                      timestamp now) {
  auto items = make_messages(due, now);
  std::vector<queue_name> fresh;
  for (auto& x : items)
    if (!x.message.queue.empty()
        && declared.insert(x.message.queue.str()).second)
      fresh.push_back(x.message.queue);
  auto done = fresh.empty() ? expected<void>{} : connection->declare(fresh);
  std::vector<outgoing_message> told;
  if (monitors)
    for (auto& x : items)
      told.push_back(x.message);
  if (done)
    done = but_for_duplicates(publish_through_exchanges(items));
  std::vector<outgoing_message> with_the_note;
  if (plan->memory().publishes())
    for (auto& x : items)
      with_the_note.push_back(std::move(x.message));
  else if (done)
    done = but_for_duplicates(publish(items));
  if (!done) {
    fail(done.error());
    return false;
  }
  plan->note(due, now);
  auto saved = plan->save(with_the_note);
  if (!saved && plan->memory().publishes()) {
    fail(saved.error());
    return false;
  }
  if (!saved)
    spdlog::error("{}; the tasks are sent, and are sent again under the same "
                  "ids if this process ends before it can be written",
                  saved.error().what);
  else if (!*saved)
    next_look = {}; // it does not lead any more
  sent += due.size();
  if (!told.empty() && (!saved || *saved))
    if (auto heard = monitors->tell(*connection, told); !heard) {
      fail(heard.error());
      return false;
    }
  return true;
}

void beat_state::fail(const error& x) {
  connection.reset();
  once.reset();
  plan->put_back();
  self->quit(caf::make_error(supervision_errc::connection_lost, x.what));
}

caf::behavior beat(caf::stateful_actor<beat_state>* self,
                   std::shared_ptr<beat_plan> plan, beat_options options) {
  auto& st = self->state;
  st.self = self;
  st.plan = std::move(plan);
  st.options = std::move(options);
  st.origin = fmt::format("gen{}@{}", getpid(), host_name());
  if (st.options.sent_events)
    st.monitors.emplace(event_source{node_name{st.origin}, getpid(),
                                     st.options.event_serializer,
                                     st.options.event_exchange});
  st.plan->put_back();
  self->send(self, connect_atom::value);
  return {
    [self](connect_atom) { self->state.connect(); },
    [self](tick_atom) { self->state.tick(); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(
        self, fmt::format("{}{} entries, {} tasks sent",
                          st.leads ? "" : "stands by, ", st.plan->size(),
                          st.sent));
    },
  };
}

} // namespace umbel
