// The part of the consumer that answers remote control.
#include "actors/consumer/inspection.hpp"

#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace umbel {

request_list consumer_state::requests_now() const {
  request_list result;
  auto wall = options.now();
  auto steady = steady_now();
  for (auto& [job, r] : requests) {
    request_view x;
    x.job = job;
    x.id = r.header.id.str();
    x.payload = r.payload;
    if (r.begun)
      x.begun = wall
                - std::chrono::duration_cast<std::chrono::microseconds>(
                  steady - *r.begun);
    if (r.held)
      x.due = r.due;
    x.acked = r.acked;
    result.requests.push_back(std::move(x));
  }
  return result;
}

task_list consumer_state::tasks_now() const {
  task_list result;
  for (auto& [name, task] : tasks) {
    auto* limit = rates.find(name);
    result.tasks.push_back({name, limit != nullptr ? limit->rate : rate{}});
  }
  std::ranges::sort(result.tasks, {}, &task_list::entry::name);
  return result;
}

run_counts consumer_state::runs_now() const {
  run_counts result;
  result.duplicates = duplicates;
  result.begun.insert(ended.begin(), ended.end());
  for (auto& [job, r] : requests) {
    if (!r.begun)
      continue;
    ++result.active;
    ++result.begun[r.header.task];
  }
  result.dead = settlements.dead();
  result.prefetch = window.size(steady_now());
  return result;
}

/// Without a connection, the next one finds them.
void consumer_state::on_queues_changed() {
  if (writer)
    self->send(writer, queues_changed{}); // makes them known
  auto answer = self->make_response_promise<queues_taken>();
  if (!reader) {
    answer.deliver(queues_taken{});
    return;
  }
  self->request(reader, caf::infinite, queues_changed{})
    .then([answer](queues_taken x) mutable { answer.deliver(x); },
          [answer](const caf::error&) mutable { answer.deliver(queues_taken{}); });
  options.interrupt_reader();
}

change consumer_state::on_rate_limit(const set_rate_limit& x) {
  auto task = tasks.find(x.task);
  if (task == tasks.end())
    return {false};
  auto limit = options.rate_of(task->second);
  limit.rate = x.rate;
  rates.set(x.task, std::move(limit));
  return {true};
}

change consumer_state::on_time_limits(const set_time_limits& x) {
  auto task = tasks.find(x.task);
  if (task == tasks.end())
    return {false};
  task->second.soft_time_limit = x.soft;
  task->second.time_limit = x.hard;
  return {true};
}

caf::message_handler consumer_state::inspection() {
  return {
    [this](list_requests) { return requests_now(); },
    [this](list_tasks) { return tasks_now(); },
    [this](list_revoked) { return revoked_list{options.revoked->by_age()}; },
    [this](count_runs) { return runs_now(); },
    [this](queues_changed) { on_queues_changed(); },
    [this](const set_rate_limit& x) { return on_rate_limit(x); },
    [this](const set_time_limits& x) { return on_time_limits(x); },
  };
}

} // namespace umbel
