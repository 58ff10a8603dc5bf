#include "actors/consumer/watchdog.hpp"

#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
namespace umbel {

namespace {

using tick_atom = caf::atom_constant<caf::atom("tick")>;

double seconds(caf::timespan x) {
  return std::chrono::duration<double>(x).count();
}

} // namespace

void watchdog_state::on_appetite(const appetite& x) {
  if (x.delivered != memory->delivered)
    *memory = {x.delivered, 0};
  auto quiet = before && before->hungry && x.hungry
               && before->delivered == x.delivered;
  before = x;
  // Who has ended in the meantime need not answer.
  if (asked && asked == x.writer)
    return self->quit(caf::make_error(
      supervision_errc::connection_lost,
      fmt::format("the broker has not said for {} s what waits in the queues; "
                  "connecting anew",
                  seconds(interval))));
  if (called && called == x.reader)
    return bite(fmt::format("the reader does not answer, it has waited for the "
                            "broker for more than {} s",
                            seconds(interval)));
  asked = quiet ? x.writer : caf::actor{};
  called = asked ? x.reader : caf::actor{};
  if (!asked) {
    suspicious = false;
    return;
  }
  self->send(asked, count_waiting{});
  self->send(called, call_reader{});
}

void watchdog_state::on_waiting(const waiting_messages& x) {
  asked = nullptr;
  if (x.count > 0 && suspicious)
    return bite(fmt::format("there is room for more, {} message{} in queue {}, "
                            "and none has come for {} s",
                            x.count, x.count == 1 ? " waits" : "s wait",
                            x.queue.str(), seconds(2 * interval)));
  suspicious = x.count > 0;
}

void watchdog_state::bite(const std::string& seen) {
  if (memory->rebuilds == rebuilds_max)
    return self->quit(make_fatal(
      fmt::format("this worker is deaf: {}; to connect anew has not helped {} "
                  "times",
                  seen, rebuilds_max)));
  ++memory->rebuilds;
  self->quit(caf::make_error(
    supervision_errc::connection_lost,
    fmt::format("this worker is deaf: {}; connecting anew, {} of {} times", seen,
                memory->rebuilds, rebuilds_max)));
}

std::string watchdog_state::describe() const {
  if (suspicious)
    return "messages wait and none comes";
  return memory->rebuilds == 0
           ? "all is well"
           : fmt::format("connected anew {} times", memory->rebuilds);
}

caf::behavior watchdog(caf::stateful_actor<watchdog_state>* self,
                       caf::timespan interval, caf::actor consumer,
                       std::shared_ptr<watchdog_memory> memory) {
  auto& st = self->state;
  st.self = self;
  st.interval = interval;
  st.consumer = std::move(consumer);
  st.memory = std::move(memory);
  self->delayed_send(self, interval, tick_atom::value);
  return {
    [self](tick_atom) {
      auto& st = self->state;
      self->send(st.consumer, list_appetite{});
      self->delayed_send(self, st.interval, tick_atom::value);
    },
    [self](const appetite& x) { self->state.on_appetite(x); },
    [self](const waiting_messages& x) { self->state.on_waiting(x); },
    [self](reader_alive) { self->state.called = nullptr; },
    [self](describe_atom) {
      return describe_self(self, self->state.describe());
    },
  };
}

} // namespace umbel
