// The part of the consumer that hears what becomes of the tasks in the pool: who has
// room, what ended and how, what was lost with its process.
//
// With early acknowledgement the end of a short run acknowledges it, too: one settlement
// for both. One that goes on for longer is acknowledged meanwhile (`watch_started`).
#include "actors/consumer/consumer.hpp"

#include "actors/consumer/outcome_log.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace umbel {

void consumer_state::on_pool_ready(pool_ready& x) {
  std::vector<std::string> names;
  for (auto& task : x.tasks) {
    names.push_back(task.name);
    tasks.emplace(task.name, resolve(task, options.acknowledgement));
    auto [soft, hard] = limits_of({}, task, options.limits);
    if (hard.count() > 0 && soft > hard)
      spdlog::warn("task {}: its soft time limit is longer than its hard one "
                   "and will never be reached",
                   task.name);
    rates.add(task.name, options.rate_of(task));
    if (task.unique && !options.keeps_unique_keys)
      tell_of_keys();
  }
  auto settings = std::make_shared<runner_settings>(*options.settings);
  add_failure_takers(*settings, x.tasks);
  options.settings = std::move(settings);
  std::sort(names.begin(), names.end());
  if (options.on_ready)
    options.on_ready(names);
  announce();
  grant();
}

void consumer_state::on_report(pool_report& x) {
  for (auto& done : x.outcomes) {
    auto i = requests.find(done.job);
    if (i == requests.end())
      continue;
    auto& r = i->second;
    log_outcome(r, done);
    ++ended[r.header.task];
    // Where a child cannot be killed, or was asked to end by the signal.
    auto terminated = r.terminated && done.kind == outcome_kind::failure;
    if (terminated)
      tell_revoked(r, false);
    else
      tell_outcome(r, done);
    if (!terminated)
      tell_sent(r, done);
    settlements.add(terminated ? settle_revoked(r, "terminated")
                               : settle_outcome(r, std::move(done)));
    requests.erase(i);
  }
  if (!x.outcomes.empty())
    window.finished(x.outcomes.size(), steady_now());
  if (tells())
    for (auto id : x.started)
      if (auto i = requests.find(id); i != requests.end())
        tell_started(i->second);
  for (auto id : x.started)
    started.emplace_back(id, steady_now() + ack_delay);
  watch_started();
  flush();
  grant();
}

void consumer_state::watch_started() {
  // A delayed message wakes CAF's clock: not one for each task.
  if (started.empty() || std::exchange(started_watched, true))
    return;
  self->delayed_send(self, started.front().second - steady_now(),
                     acknowledge_atom::value);
}

void consumer_state::acknowledge_started(prefetch_window::time_point until) {
  auto t = steady_now();
  for (; !started.empty(); started.pop_front()) {
    auto [id, due] = started.front();
    auto i = requests.find(id);
    if (i == requests.end())
      continue; // its result said it
    if (due > until)
      break;
    auto& r = i->second;
    r.begun = t;
    auto early = !r.acked && !*r.task.acks_late;
    auto frees_key = r.unique && r.unique->until_start;
    if (!early && !frees_key)
      continue;
    settlement ack;
    ack.tag = r.tag;
    ack.queue = r.queue;
    if (!early)
      ack.how = disposition::none;
    if (frees_key) {
      ack.release = unique_key{r.unique->key, r.unique->id};
      r.unique.reset();
    }
    settlements.add(std::move(ack));
    r.acked = r.acked || early;
  }
  watch_started();
  flush();
}

void consumer_state::on_state(job_state& x) {
  auto i = requests.find(x.job);
  if (i == requests.end())
    return;
  settlement state;
  state.tag = i->second.tag;
  state.queue = i->second.queue;
  state.how = disposition::none;
  state.result = result_record{i->second.header.id, std::move(x.document),
                               i->second.header.reply_to};
  settlements.add(std::move(state));
  flush();
}

void consumer_state::on_time_limit(const time_limit_over& x) {
  auto i = requests.find(x.job);
  if (i == requests.end())
    return;
  auto& r = i->second;
  auto seconds = std::chrono::duration<double>{x.limit}.count();
  if (!x.hard) {
    spdlog::warn("Soft time limit ({}s) exceeded for {}", seconds,
                 r.display_name());
    return;
  }
  spdlog::error("Hard time limit ({}s) exceeded for {}", seconds,
                r.display_name());
  r.over_limit = x.limit;
}

settlement consumer_state::settle_killed(const request& r,
                                         const std::string& how) const {
  if (abandoning)
    return settle_abandoned(r);
  if (r.terminated)
    return settle_revoked(r, "terminated");
  if (r.over_limit)
    return run_again(r, settle_timed_out(r, *r.over_limit), "hard time limit");
  spdlog::error("Task {} lost its child process: {}", r.display_name(), how);
  return run_again(r, settle_lost(r, how), how);
}

void consumer_state::on_lost(const job_lost& x) {
  auto i = requests.find(x.job);
  if (i == requests.end())
    return;
  auto end = settle_killed(i->second, x.how);
  tell_lost(i->second, end, x.how);
  settlements.add(std::move(end));
  ++ended[i->second.header.task];
  requests.erase(i);
  flush();
  grant();
}

void consumer_state::on_returned(const jobs_returned& x) {
  // Newest first: each goes to the end that is consumed next.
  for (auto id : x.jobs) {
    auto i = requests.find(id);
    if (i == requests.end())
      continue;
    settlements.add(is_revoked(i->second) ? refuse_revoked(i->second, "revoked")
                                          : settle_restored(i->second));
    requests.erase(i);
  }
  flush();
  grant();
}

} // namespace umbel
