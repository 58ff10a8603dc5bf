// The commands that change something (Celery: `celery control`).
#include "actors/cluster/control_ask.hpp"
#include "actors/cluster/deferred_answer.hpp"
#include "actors/consumer/inspection.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/pool/messages.hpp"
#include "actors/root.hpp"
#include "actors/supervision/census.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/control/event.hpp"
#include "protocol/control/stamp_revocation.hpp"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

namespace umbel {

namespace {

using remote::failed;
using remote::ok;

// -- tasks ----------------------------------------------------------------------

std::string joined(const std::vector<task_id>& ids) {
  std::vector<std::string_view> texts;
  for (auto& id : ids)
    texts.emplace_back(id.str());
  return fmt::format("{}", fmt::join(texts, ", "));
}

void revoke_by(control_state& self, const std::string& method,
               const json::object& arguments, answer_function answer) {
  control_request request;
  request.method = method;
  request.arguments = arguments;
  auto x = parse_revoke_request(request);
  if (!x) {
    spdlog::error("{}", x.error().what);
    return answer(failed(x.error().what));
  }
  auto terminates = x->signal.has_value();
  self.ask<tasks_revoked>(
    self.colleagues.consumer, revoke_tasks{std::move(x->ids), x->signal},
    answer, [answer, terminates](const tasks_revoked& done) {
      if (!terminates)
        answer(ok(fmt::format("tasks {} flagged as revoked", joined(done.ids))));
      else if (done.terminated.empty())
        answer(ok("terminate: tasks unknown"));
      else
        answer(ok(fmt::format("terminate: {}", joined(done.terminated))));
    });
}

void revoke(control_state& self, const json::object& arguments,
            answer_function answer) {
  revoke_by(self, "revoke", arguments, answer);
}

void terminate(control_state& self, const json::object& arguments,
               answer_function answer) {
  revoke_by(self, "terminate", arguments, answer);
}

/// Celery 5.3's.
void revoke_by_stamped_headers(control_state& self,
                               const json::object& arguments,
                               answer_function answer) {
  auto x = parse_stamp_revocation(arguments);
  if (!x) {
    spdlog::error("{}", x.error().what);
    return answer(failed(x.error().what));
  }
  revoke_tasks order{x->request.ids, x->request.signal};
  self.ask<tasks_revoked>(
    self.colleagues.consumer, std::move(order), answer,
    [answer, x = std::move(*x)](const tasks_revoked& done) {
      auto say = [&](const json::object& headers, const char* what) {
        answer(ok(fmt::format("headers {} {}",
                              python_repr(json::value(headers)), what)));
      };
      if (!x.request.signal)
        return say(x.headers, "flagged as revoked, but not terminated");
      json::object ended;
      for (auto& [id, name, value] : x.stamps)
        if (std::ranges::find(done.terminated, id) != done.terminated.end()) {
          auto [known, is_first] = ended.emplace(name, json::array{});
          known->value().get_array().push_back(value);
        }
      if (ended.empty())
        return say(x.headers, "were not terminated");
      say(ended, "revoked");
    });
}

/// A number is a rate, too.
std::string rate_text(const json::object& arguments) {
  auto x = remote::find(arguments, "rate_limit");
  if (x == nullptr)
    return {};
  return x->is_string() ? std::string{std::string_view{x->get_string()}}
                        : to_json(*x);
}

void rate_limit(control_state& self, const json::object& arguments,
                answer_function answer) {
  auto task = remote::read_text(arguments, "task_name");
  if (!task)
    return answer(failed(task.error().what));
  auto parsed = parse_rate(rate_text(arguments));
  if (!parsed)
    return answer(failed("Invalid rate limit string: " + parsed.error().what));
  self.ask<change>(
    self.colleagues.consumer, set_rate_limit{*task, *parsed}, answer,
    [answer, task = *task, limit = *parsed](change x) {
      if (!x.known) {
        spdlog::error("Rate limit attempt for unknown task {}", task);
        return answer(failed("unknown task"));
      }
      if (!limit.limits()) {
        spdlog::info("Rate limits disabled for tasks of type {}", task);
        return answer(ok("rate limit disabled successfully"));
      }
      spdlog::info("New rate limit for tasks of type {}: {}.", task,
                   to_string(limit));
      answer(ok("new rate limit set successfully"));
    });
}

void time_limit(control_state& self, const json::object& arguments,
                answer_function answer) {
  auto task = remote::read_text(arguments, "task_name");
  auto soft = remote::read_seconds(arguments, "soft");
  auto hard = remote::read_seconds(arguments, "hard");
  if (!task || !soft || !hard)
    return answer(failed((!task ? task.error() : !soft ? soft.error()
                                                       : hard.error())
                           .what));
  self.ask<change>(
    self.colleagues.consumer, set_time_limits{*task, *soft, *hard}, answer,
    [answer, task = *task, soft = *soft, hard = *hard](change x) {
      if (!x.known) {
        spdlog::error("Change time limit attempt for unknown task {}", task);
        return answer(failed("unknown task"));
      }
      auto shown = [](auto& limit) {
        return limit ? fmt::format("{:g} s", static_cast<double>(limit->count())
                                               / 1'000)
                     : "none";
      };
      spdlog::info("New time limits for tasks of type {}: soft {}, hard {}",
                   task, shown(soft), shown(hard));
      answer(ok("time limits set successfully"));
    });
}

// -- the pool -------------------------------------------------------------------

void change_pool(control_state& self, const json::object& arguments, int sign,
                 answer_function answer) {
  auto what = sign > 0 ? "grow" : "shrink";
  if (self.colleagues.autoscaler)
    return answer(failed(fmt::format("pool_{} is not supported with autoscale. "
                                     "Adjust autoscale range instead.",
                                     what)));
  if (self.options.config->pool == pool_kind::solo)
    return answer(failed("the pool 'solo' runs one task at a time"));
  auto n = remote::read_integer(arguments, "n");
  if (!n)
    return answer(failed(n.error().what));
  auto by = n->value_or(1);
  if (by < 0 || by > static_cast<int64_t>(pool_size_max))
    return answer(failed(fmt::format("n is not 0 to {}", pool_size_max)));
  self.ask<pool_info>(self.colleagues.pool, grow_pool{sign * by}, answer,
                      [answer, what](const pool_info& x) {
                        spdlog::info("The pool has {} children now", x.size);
                        answer(ok(fmt::format("pool will {}", what)));
                      });
}

void pool_grow(control_state& self, const json::object& arguments,
               answer_function answer) {
  change_pool(self, arguments, +1, answer);
}

void pool_shrink(control_state& self, const json::object& arguments,
                 answer_function answer) {
  change_pool(self, arguments, -1, answer);
}

/// Each child ends what it runs, and its successor takes over. Modules cannot be
/// reloaded: new children have the libraries that the worker has loaded.
void pool_restart(control_state& self, const json::object&,
                  answer_function answer) {
  if (!self.options.config->settings.worker_pool_restarts)
    return answer(failed("ValueError('Pool restarts not enabled')"));
  if (self.options.config->pool != pool_kind::prefork)
    return answer(failed(fmt::format("the pool '{}' has no children to replace",
                                     self.options.config->settings.worker_pool)));
  self.ask<pool_info>(self.colleagues.pool, replace_children{}, answer,
                      [answer](const pool_info&) {
                        answer(ok("reload started"));
                      });
}

expected<std::optional<size_t>> read_bound(const json::object& arguments,
                                           std::string_view name) {
  auto x = remote::read_integer(arguments, name);
  if (!x)
    return x.error();
  if (!*x)
    return std::optional<size_t>{};
  if (**x < 0)
    return remote::malformed(fmt::format("{} is negative", name));
  return std::optional{static_cast<size_t>(**x)};
}

void autoscale(control_state& self, const json::object& arguments,
               answer_function answer) {
  if (!self.colleagues.autoscaler)
    return answer(failed("ValueError('Autoscale not enabled')"));
  auto max = read_bound(arguments, "max");
  auto min = read_bound(arguments, "min");
  if (!max || !min)
    return answer(failed((!max ? max.error() : min.error()).what));
  self.ask<autoscale_info>(self.colleagues.autoscaler,
                           set_autoscale{*max, *min}, answer,
                           [answer](const autoscale_info& x) {
                             answer(ok(fmt::format("autoscale now max={} min={}",
                                                   x.max, x.min)));
                           });
}

// -- the worker -----------------------------------------------------------------

/// Nobody is answered: that is how Celery's clients know it.
void shutdown(control_state& self, const json::object& arguments,
              answer_function) {
  auto text = remote::read_text(arguments, "msg");
  spdlog::warn("{}", text && !text->empty() ? *text
                                            : "Got shutdown from remote");
  caf::anon_send(self.colleagues.root, shutdown_step{});
  --self.open;
}

/// Ours: ends an actor of the tree at once, as a fault of it would.
void kill(control_state& self, const json::object& arguments,
          answer_function answer) {
  if (!self.options.config->settings.worker_enable_control_kill)
    return answer(failed("killing actors is not enabled "
                         "(worker_enable_control_kill)"));
  auto id = remote::read_text(arguments, "actor");
  if (!id)
    return answer(failed(id.error().what));
  // On the census' own thread, which nobody stops with the one that dies.
  auto done = [answer, id = *id,
               whom = caf::actor{self.self}](const census_result& x) {
    std::vector<caf::actor> found;
    for (auto& entry : x)
      if (entry.id == id && entry.handle)
        found.push_back(entry.handle);
    if (found.size() != 1)
      return caf::anon_send(
        whom, deferred_answer{answer, failed(fmt::format(
                                        "{} actors are called '{}'",
                                        found.size(), id))});
    spdlog::warn("remote control kills {}", id);
    caf::anon_send(whom, deferred_answer{answer, ok(fmt::format("killed {}", id))});
    // With whatever dies, those that speak may have to start again.
    std::this_thread::sleep_for(control_state::mercy);
    caf::anon_send_exit(found.front(), caf::exit_reason::kill);
  };
  self.self->spawn<caf::detached>(census, "root", self.colleagues.root, done);
}

// -- events ---------------------------------------------------------------------

void switch_events(control_state& self, bool on, answer_function answer) {
  if (!self.colleagues.events)
    return answer(failed("event dispatcher unavailable"));
  self.ask<task_events_switched>(
    self.colleagues.events, switch_task_events{on}, answer,
    [answer, on](task_events_switched x) {
      answer(ok(fmt::format("task events {}{}", x.changed ? "" : "already ",
                            on ? "enabled" : "disabled")));
    });
}

void enable_events(control_state& self, const json::object&,
                   answer_function answer) {
  switch_events(self, true, answer);
}

void disable_events(control_state& self, const json::object&,
                    answer_function answer) {
  switch_events(self, false, answer);
}

/// Says that the worker lives, and no more.
void heartbeat_now(control_state& self, const json::object&,
                   answer_function answer) {
  if (!self.colleagues.events)
    return answer(failed("event dispatcher unavailable"));
  auto fields = software_info(self.options.config->version);
  fields["freq"] = 5;
  caf::anon_send(self.colleagues.events,
                 emit_event{"worker-heartbeat", std::move(fields), {}});
  answer(nullptr);
}

/// Without gossip there is none: as with Celery's --without-gossip.
void election(control_state& self, const json::object& arguments,
              answer_function answer) {
  auto id = remote::read_text(arguments, "id");
  auto topic = remote::read_text(arguments, "topic");
  if (!id || !topic)
    return answer(failed((!id ? id.error() : topic.error()).what));
  if (id->empty())
    return answer(failed("election without an id"));
  auto action = remote::find(arguments, "action");
  if (self.colleagues.gossip)
    caf::anon_send(self.colleagues.gossip,
                   begin_election{*id, *topic,
                                  action ? *action : json::value{}});
  answer(nullptr);
}

} // namespace

std::span<const control_method> change_methods() {
  static constexpr control_method methods[] = {
    {"autoscale", autoscale},
    {"disable_events", disable_events},
    {"election", election},
    {"enable_events", enable_events},
    {"heartbeat", heartbeat_now},
    {"kill", kill},
    {"pool_grow", pool_grow},
    {"pool_restart", pool_restart},
    {"pool_shrink", pool_shrink},
    {"rate_limit", rate_limit},
    {"revoke", revoke},
    {"revoke_by_stamped_headers", revoke_by_stamped_headers},
    {"shutdown", shutdown},
    {"terminate", terminate},
    {"time_limit", time_limit},
  };
  return methods;
}

} // namespace umbel
