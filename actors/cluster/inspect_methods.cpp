// The commands that ask (Celery: `celery inspect`).
#include "actors/cluster/control_ask.hpp"
#include "actors/cluster/deferred_answer.hpp"
#include "actors/cluster/mingle.hpp"
#include "actors/cluster/worker_report.hpp"
#include "actors/consumer/inspection.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/pool/messages.hpp"
#include "actors/supervision/census.hpp"
#include "protocol/client/shown_settings.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/control/task_info.hpp"
#include "protocol/task/builtin_tasks.hpp"

#include <algorithm>
#include <unordered_set>

namespace umbel {

namespace {

using remote::failed;
using remote::ok;

// -- the worker -----------------------------------------------------------------

void ping(control_state&, const json::object&, answer_function answer) {
  answer(ok("pong"));
}

void clock(control_state& self, const json::object&, answer_function answer) {
  answer(json::object{{"clock", self.options.clock->value()}});
}

void conf(control_state& self, const json::object& arguments,
          answer_function answer) {
  answer(shown_settings(self.options.config->settings,
                        remote::is_true(arguments, "with_defaults")));
}

void report(control_state& self, const json::object&, answer_function answer) {
  answer(ok(worker_report(*self.options.config)));
}

void memsample(control_state&, const json::object&, answer_function answer) {
  answer(json::value(resident_memory()));
}

void active_queues(control_state& self, const json::object&,
                   answer_function answer) {
  answer(queue_documents(*self.options.config, self.options.queues->list()));
}

void stats(control_state& self, const json::object&, answer_function answer) {
  auto& who = self.colleagues;
  self.ask<run_counts>(
    who.consumer, count_runs{}, answer, [&self, answer](const run_counts& runs) {
      self.ask<pool_info>(
        self.colleagues.pool, list_processes{}, answer,
        [&self, answer, runs](const pool_info& pool) {
          auto document = worker_statistics(*self.options.config, runs, pool,
                                            self.options.clock->value());
          if (!self.colleagues.autoscaler)
            return answer(std::move(document));
          self.ask<autoscale_info>(
            self.colleagues.autoscaler, set_autoscale{}, answer,
            [answer, document](const autoscale_info& x) {
              auto whole = document;
              whole["autoscaler"] = json::object{{"max", x.max},
                                                 {"min", x.min},
                                                 {"current", x.current},
                                                 {"qty", x.qty}};
              answer(std::move(whole));
            });
        });
    });
}

json::value to_tree(const census_result& x, size_t& next) {
  auto& entry = x[next];
  json::object result{{"id", entry.id},
                      {"state", entry.state},
                      {"alive", entry.alive},
                      {"answered", entry.answered},
                      {"mailbox", entry.mailbox}};
  json::array children;
  for (++next; next < x.size() && x[next].depth > entry.depth;)
    children.push_back(to_tree(x, next));
  result["children"] = std::move(children);
  return result;
}

/// Ours: the supervision tree, as SIGUSR1 prints it.
void tree(control_state& self, const json::object&, answer_function answer) {
  auto done = [answer, whom = caf::actor{self.self}](census_result x) {
    size_t next = 0;
    caf::anon_send(whom, deferred_answer{answer, to_tree(x, next)});
  };
  self.self->spawn<caf::detached>(census, "root", self.colleagues.root, done);
}

// -- tasks ----------------------------------------------------------------------

enum class standing { active, reserved, scheduled };

standing standing_of(const request_view& x) {
  if (x.begun)
    return standing::active;
  return x.due ? standing::scheduled : standing::reserved;
}

json::object info_of(const control_state& self, const request_view& x,
                     const pool_info& pool, bool safe = false) {
  task_status status;
  status.started = x.begun;
  status.acknowledged = x.acked;
  if (auto i = pool.running.find(x.job); i != pool.running.end())
    status.worker_pid = i->second;
  return task_info(*x.payload, self.node(), status, safe);
}

/// Asks for what the worker has, and which process runs what of it.
template <class Then>
void with_requests(control_state& self, answer_function answer, Then then) {
  self.ask<request_list>(
    self.colleagues.consumer, list_requests{}, answer,
    [&self, answer, then](const request_list& list) {
      self.ask<pool_info>(
        self.colleagues.pool, list_processes{}, answer,
        [list, then](const pool_info& pool) { then(list.requests, pool); });
    });
}

void list(control_state& self, answer_function answer, standing which,
          bool safe) {
  with_requests(self, answer,
                [&self, answer, which, safe](auto& requests, auto& pool) {
                  json::array result;
                  for (auto& x : requests)
                    if (standing_of(x) == which)
                      result.push_back(info_of(self, x, pool, safe));
                  answer(std::move(result));
                });
}

void active(control_state& self, const json::object& arguments,
            answer_function answer) {
  list(self, answer, standing::active, remote::is_true(arguments, "safe"));
}

void reserved(control_state& self, const json::object&,
              answer_function answer) {
  list(self, answer, standing::reserved, false);
}

void scheduled(control_state& self, const json::object&,
               answer_function answer) {
  with_requests(self, answer, [&self, answer](auto& requests, auto& pool) {
    json::array result;
    for (auto& x : requests)
      if (standing_of(x) == standing::scheduled)
        result.push_back(json::object{{"eta", format_time(*x.due)},
                                      {"priority", 6},
                                      {"request", info_of(self, x, pool)}});
    answer(std::move(result));
  });
}

void query_task(control_state& self, const json::object& arguments,
                answer_function answer) {
  auto ids = remote::read_texts(arguments, "ids");
  if (!ids)
    return answer(failed(ids.error().what));
  with_requests(
    self, answer,
    [&self, answer,
     wanted = std::unordered_set<std::string>(ids->begin(), ids->end())](
      auto& requests, auto& pool) {
      json::object result;
      for (auto& x : requests)
        if (wanted.contains(x.id))
          result[x.id] = json::array{x.begun ? "active" : "reserved",
                                     info_of(self, x, pool)};
      answer(std::move(result));
    });
}

void revoked(control_state& self, const json::object&,
             answer_function answer) {
  self.ask<revoked_list>(self.colleagues.consumer, list_revoked{}, answer,
                         [answer](const revoked_list& x) {
                           json::array result;
                           for (auto& [id, time] : x.ids)
                             result.emplace_back(id);
                           answer(std::move(result));
                         });
}

/// Of all attributes that Celery's tasks have, the rate limit is one of ours.
void registered(control_state& self, const json::object& arguments,
                answer_function answer) {
  auto items = remote::read_texts(arguments, "taskinfoitems");
  if (!items)
    return answer(failed(items.error().what));
  auto builtins = remote::find(arguments, "builtins");
  auto with_builtins =
    builtins && builtins->is_bool() && builtins->get_bool();
  auto with_rate = items->empty()
                   || std::ranges::find(*items, "rate_limit") != items->end();
  self.ask<task_list>(
    self.colleagues.consumer, list_tasks{}, answer,
    [answer, with_rate, with_builtins](const task_list& x) {
      json::array result;
      for (auto& task : x.tasks)
        if (with_builtins || !is_builtin_task(task.name))
          result.emplace_back(with_rate && task.rate.limits()
                                ? task.name + " [rate_limit="
                                    + to_string(task.rate) + "]"
                                : task.name);
      answer(std::move(result));
    });
}

/// What a worker that starts asks its neighbours (mingle).
void hello(control_state& self, const json::object& arguments,
           answer_function answer) {
  auto from = remote::read_text(arguments, "from_node");
  if (!from)
    return answer(failed(from.error().what));
  if (*from == self.node().str())
    return answer(nullptr);
  if (auto x = remote::find(arguments, "revoked"); x && x->is_object()) {
    learn_revoked theirs;
    for (auto& [id, time] : x->get_object())
      theirs.ids.emplace_back(std::string{id});
    if (!theirs.ids.empty())
      caf::anon_send(self.colleagues.consumer, std::move(theirs));
  }
  self.ask<revoked_list>(
    self.colleagues.consumer, list_revoked{}, answer,
    [&self, answer](const revoked_list& x) {
      answer(json::object{{"revoked", revoked_document(x)},
                          {"clock", self.options.clock->forward()}});
    });
}

} // namespace

std::span<const control_method> inspect_methods() {
  static constexpr control_method methods[] = {
    {"active", active},
    {"active_queues", active_queues},
    {"clock", clock},
    {"conf", conf},
    {"dump_active", active},
    {"dump_conf", conf},
    {"dump_reserved", reserved},
    {"dump_revoked", revoked},
    {"dump_schedule", scheduled},
    {"dump_tasks", registered},
    {"hello", hello},
    {"memsample", memsample},
    {"ping", ping},
    {"query_task", query_task},
    {"registered", registered},
    {"report", report},
    {"reserved", reserved},
    {"revoked", revoked},
    {"scheduled", scheduled},
    {"stats", stats},
    {"tree", tree},
  };
  return methods;
}

} // namespace umbel
