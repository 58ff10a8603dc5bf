#include "actors/root.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <ctime>

namespace umbel {

namespace {

using soft_over_atom = caf::atom_constant<caf::atom("softover")>;
using report_atom = caf::atom_constant<caf::atom("report")>;
using give_up_atom = caf::atom_constant<caf::atom("giveup")>;

/// More names than this make a log line unreadable.
constexpr size_t named_max = 10;

using step = shutdown_ladder::step;

double seconds(std::chrono::milliseconds x) {
  return std::chrono::duration<double>(x).count();
}

/// The service manager wants to know since when.
std::string reloading() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                     now.tv_sec * 1'000'000LL + now.tv_nsec / 1000);
}

} // namespace

std::string to_string(const unfinished_tasks& x) {
  auto n = x.tasks.size();
  auto result = fmt::format("{} task{}: ", n, n == 1 ? "" : "s");
  for (size_t i = 0; i < std::min(n, named_max); ++i) {
    auto& task = x.tasks[i];
    result += (i == 0 ? "" : ", ") + task.name;
    if (task.running)
      result += fmt::format(" (running for {})", readable(*task.running));
  }
  if (n > named_max)
    result += fmt::format(" and {} more", n - named_max);
  return result;
}

// -- what happens -------------------------------------------------------------

void root_state::on_step(const shutdown_step& x) {
  options.notify(x.restarts ? reloading() : "STOPPING=1");
  if (x.to == step::warm) {
    if (now == phase::running)
      self->send(consumer, drain{});
    now = phase::warm;
    spdlog::warn("{}: finishing what runs (SIGQUIT gives it up, and so does a "
                 "second ^C)",
                 x.restarts ? "Restart, warm shutdown first" : "Warm shutdown");
    report();
  } else if (x.to == step::cold && options.soft_shutdown_timeout.count() > 0) {
    if (now == phase::running)
      self->send(consumer, drain{});
    now = phase::soft;
    spdlog::warn("Soft shutdown: what runs has {} s to finish",
                 seconds(options.soft_shutdown_timeout));
    self->delayed_send(self, options.soft_shutdown_timeout,
                       soft_over_atom::value);
    if (is_drained)
      on_drained();
    else
      report();
  } else if (now != phase::cold) {
    begin_cold();
  } else {
    spdlog::warn("Cold shutdown is under way; once more to wait for nothing");
  }
}

void root_state::on_consumer(caf::actor x) {
  consumer = std::move(x);
  is_drained = false;
  if (now == phase::cold)
    self->send(consumer, abandon{});
  else if (now != phase::running)
    self->send(consumer, drain{});
}

void root_state::on_drained() {
  is_drained = true;
  if (now != phase::soft || !options.soft_shutdown_on_idle)
    end_tree();
}

void root_state::on_soft_over() {
  if (now != phase::soft)
    return;
  if (is_drained)
    return end_tree();
  begin_cold();
}

void root_state::on_unfinished(const unfinished_tasks& x) {
  if (x.tasks.empty() || (now != phase::warm && now != phase::soft))
    return;
  auto text = "waiting for " + to_string(x);
  spdlog::warn("{}", text);
  options.notify("STATUS=" + text);
}

void root_state::on_report() {
  reporting = false;
  if (now == phase::warm || now == phase::soft)
    report();
}

// -- the rest -----------------------------------------------------------------

void root_state::report() {
  self->send(consumer, list_unfinished{});
  if (reporting)
    return;
  reporting = true;
  self->delayed_send(self, report_interval, report_atom::value);
}

void root_state::begin_cold() {
  now = phase::cold;
  spdlog::warn("Cold shutdown: giving up what runs");
  options.notify("STATUS=giving up what runs");
  self->delayed_send(self, cold_shutdown_max, give_up_atom::value);
  self->send(consumer, abandon{});
}

void root_state::end_tree() {
  self->send_exit(tree, caf::exit_reason::user_shutdown);
}

std::string root_state::describe() const {
  switch (now) {
    case phase::running:
      return "running";
    case phase::warm:
      return "warm shutdown";
    case phase::soft:
      return "soft shutdown";
    case phase::cold:
      return "cold shutdown";
  }
  return {};
}

caf::behavior root(caf::stateful_actor<root_state>* self,
                   root_options options) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.tree = st.options.start_tree(self);
  self->monitor(st.tree);
  self->set_down_handler(
      [self](caf::down_msg& x) { self->quit(std::move(x.reason)); });
  return {
      [self](consumer_up& x) { self->state.on_consumer(std::move(x.consumer)); },
      [self](const shutdown_step& x) { self->state.on_step(x); },
      [self](drained) { self->state.on_drained(); },
      [self](const unfinished_tasks& x) { self->state.on_unfinished(x); },
      [self](report_atom) { self->state.on_report(); },
      [self](soft_over_atom) { self->state.on_soft_over(); },
      [self](give_up_atom) {
        spdlog::warn("not everything could be settled; the rest comes back to "
                     "its queue when the lease ends");
        self->state.end_tree();
      },
      [self](describe_atom) {
        auto& st = self->state;
        return describe_self(self, st.describe(),
                             {{"supervisor worker", st.tree, {}, false}});
      },
  };
}

} // namespace umbel
