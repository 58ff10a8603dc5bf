#include "actors/beat/beat.hpp"

#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/client/node_format.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include <unistd.h>

namespace umbel {

namespace {

using tick_atom = caf::atom_constant<caf::atom("tick")>;
using connect_atom = caf::atom_constant<caf::atom("connect")>;

/// One round trip to the broker and one commit. More: the first of many that are due
/// at the same time would wait for the last.
constexpr size_t batch_max = 500;

} // namespace

void beat_state::connect() {
  auto opened = options.connect();
  if (!opened)
    return fail(opened.error());
  connection = std::move(*opened);
  options.on_running();
  tick();
}

void beat_state::tick() {
  for (;;) {
    auto now = options.now();
    auto due = plan->take_due(now, batch_max);
    if (due.empty())
      break;
    if (!publish(due, now))
      return;
    if (auto saved = plan->sent(due, now); !saved)
      spdlog::error("{}; the tasks are sent, and are sent again if this process "
                    "ends before it can be written",
                    saved.error().what);
  }
  auto now = options.now();
  auto pause = std::chrono::microseconds{options.max_interval};
  if (auto next = plan->next_due())
    pause = std::clamp(*next - now, std::chrono::microseconds{0}, pause);
  self->delayed_send(self, pause, tick_atom::value);
}

bool beat_state::publish(const std::vector<beat_plan::due_entry>& due,
                         timestamp now) {
  std::vector<outgoing_message> messages;
  std::vector<queue_name> fresh;
  for (auto& x : due) {
    spdlog::info("Scheduler: Sending due task {} ({})", x.what->name,
                 x.what->call.task);
    messages.push_back(schedule::make_message(*x.what, now, origin));
    if (declared.insert(x.what->call.queue).second)
      fresh.emplace_back(x.what->call.queue);
  }
  auto done = fresh.empty() ? expected<void>{} : connection->declare(fresh);
  if (done)
    done = connection->publish(messages);
  if (!done) {
    fail(done.error());
    return false;
  }
  sent += due.size();
  return true;
}

void beat_state::fail(const error& x) {
  connection.reset();
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
  st.plan->put_back();
  self->send(self, connect_atom::value);
  return {
    [self](connect_atom) { self->state.connect(); },
    [self](tick_atom) { self->state.tick(); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(self, fmt::format("{} entries, {} tasks sent",
                                             st.plan->size(), st.sent));
    },
  };
}

} // namespace umbel
