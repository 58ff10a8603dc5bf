// The part of the consumer that lets tasks wait for their time: here, woken by the
// timer, if that is soon and there is room; in the broker if not.
#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

void consumer_state::wait_until(timestamp due, uint64_t id, request& r) {
  if (due - options.now() <= hold_max && num_held < options.held_max) {
    r.held = true;
    ++num_held;
    self->send(timer, wake_at{due, id});
    return;
  }
  spdlog::info("Task {} waits in the broker until {}", r.display_name(),
               format_time(due));
  settlements.add(settle_delayed(r, due));
  requests.erase(id);
  // As far as this worker is concerned it has ended: a queue full of tasks that
  // are due tomorrow is read as quickly as one of short tasks.
  window.finished(1, steady_now());
}

void consumer_state::on_woken(const woken& x) {
  std::vector<job> runnable;
  for (auto id : x.ids) {
    auto i = requests.find(id);
    if (i == requests.end())
      continue;
    i->second.held = false;
    --num_held;
    begin(id, i->second, runnable);
  }
  if (!runnable.empty())
    self->send(pool, run_jobs{std::move(runnable)});
  flush();
}

} // namespace umbel
