// The part of the consumer that begins tasks, or lets them wait for their time, an eta
// or their turn under a rate limit: here, woken by the timer, if that is soon and
// there is room; in the broker if not.
#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace umbel {

void consumer_state::begin(uint64_t id, request& r,
                           std::vector<job>& runnable) {
  auto t = options.now();
  if (r.header.expires && *r.header.expires <= t) {
    settlements.add(refuse_revoked(r, "expired"));
    requests.erase(id);
  } else if (is_revoked(r)) {
    settlements.add(refuse_revoked(r, "revoked"));
    requests.erase(id);
  } else if (ask_for_key(id, r)) {
    return; // on_keys
  } else if (r.header.eta && *r.header.eta > t) {
    wait_until(*r.header.eta, id, r);
  } else if (auto* limit = r.has_turn ? nullptr : rates.find(r.header.task)) {
    ask_for_turn(id, r, *limit, runnable);
  } else {
    run(id, r, runnable);
  }
}

void consumer_state::run(uint64_t id, request& r,
                         std::vector<job>& runnable) {
  if (r.deliveries == 0 && is_suspect(r)) {
    note_delivery(id, r);
    return;
  }
  runnable.push_back({id, r.header.task, r.payload,
                      limits_of(r.header, r.task, options.limits)});
}

void consumer_state::wait_until(timestamp due, uint64_t id, request& r) {
  if (due - options.now() <= hold_max && num_held < options.held_max) {
    r.held = true;
    r.due = due;
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

// -- rate limits ----------------------------------------------------------------

void consumer_state::ask_for_turn(uint64_t id, request& r,
                                  const task_rate& limit,
                                  std::vector<job>& runnable) {
  r.waited = r.waited || r.header.rate_limited;
  // Whoever cannot wait here must not be given a turn that lies ahead.
  auto hold = num_held < options.held_max
                ? std::chrono::microseconds{hold_max}
                : std::chrono::microseconds{0};
  if (limit.scope == rate_scope::worker)
    return on_turn(id, r, rates.take(r, limit, options.now(), hold), runnable);
  r.asking = true;
  questions.ids.push_back(id);
  questions.requests.push_back(
    {rate_limits::account(r, limit), limit.rate, hold, r.waited});
}

void consumer_state::on_turn(uint64_t id, request& r, rate_slot slot,
                             std::vector<job>& runnable) {
  r.has_turn = slot.taken;
  if (slot.taken && slot.at <= options.now()) {
    run(id, r, runnable);
    return;
  }
  r.waited = true;
  wait_until(slot.at, id, r);
}

void consumer_state::send_questions() {
  if (!writer)
    return;
  if (!questions.ids.empty())
    self->send(writer, std::exchange(questions, {}));
  if (!claims.ids.empty())
    self->send(writer, std::exchange(claims, {}));
}

void consumer_state::on_turns(const turns& x) {
  std::vector<job> runnable;
  auto t = options.now();
  for (size_t n = 0; n < x.ids.size(); ++n) {
    auto i = requests.find(x.ids[n]);
    if (i == requests.end() || !i->second.asking)
      continue;
    i->second.asking = false;
    auto& answer = x.answers[n];
    on_turn(x.ids[n], i->second, {t + answer.wait, answer.granted}, runnable);
  }
  if (!runnable.empty())
    self->send(pool, run_jobs{std::move(runnable)});
  flush();
  grant();
}

// The last writer may have died with the questions, or with the answers.
void consumer_state::repeat_questions() {
  questions = {};
  claims = {};
  std::vector<job> runnable; // stays empty: the answers come later
  for (auto& [id, r] : requests) {
    if (r.asking)
      if (auto* limit = rates.find(r.header.task))
        ask_for_turn(id, r, *limit, runnable);
    if (r.claiming)
      ask_for_key(id, r);
  }
  send_questions();
}

} // namespace umbel
