// The part of the consumer that gives up what is begun again and again without an
// end: a task that kills its process, by memory or by a fault, and is delivered
// again because it is acknowledged late. Past `max_deliveries` its message is a dead
// letter and its state a failure.
//
// Whoever dies cannot say what he was running. So a message that was delivered
// before is noted in the ledger before it begins again, and the run waits for the
// note: that costs a task one round trip to the broker, and none at all on its
// first delivery. What did not begin, or ended otherwise, loses its note.
//
// Tasks that ran beside the one that killed the worker are noted, too. Before any
// is given up it gets a chance alone: of those that may begin once more only, one
// at a time is run by each worker. The others wait a moment.
#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

/// What is known of the runs of a message before this one. That it was delivered
/// before is known of any that is marked so, be it by a Python peer.
delivery_history history_before(const request& r) {
  auto result = read_history(*r.payload);
  if (r.header.redelivered)
    result.count = std::max<size_t>(result.count, 1);
  return result;
}

std::string with(const delivery_history& history, const request& r) {
  auto result = with_history(*r.payload, history);
  return result ? std::move(*result) : *r.payload;
}

} // namespace

bool consumer_state::is_suspect(const request& r) const {
  return options.max_deliveries > 0 && r.header.redelivered
         && *r.task.acks_late;
}

void consumer_state::note_delivery(uint64_t id, request& r) {
  auto history = history_before(r);
  if (r.header.deliveries >= options.max_deliveries) {
    auto& notes = history.notes;
    auto end = give_up(r, history,
                       notes.empty() ? "" : "its last worker was "
                                              + notes.back().node);
    tell_lost(r, end, end.dead->reason);
    settlements.add(std::move(end));
    requests.erase(id);
    return;
  }
  if (history.count + 1 >= options.max_deliveries) {
    if (last_chance != id && requests.contains(last_chance)) {
      wait_until(options.now() + last_chance_delay, id, r);
      return;
    }
    last_chance = id;
  }
  history.add({options.now(), options.node.str(), {}});
  r.deliveries = history.count;
  r.noting = true;
  settlement note;
  note.tag = r.tag;
  note.queue = r.queue;
  note.how = disposition::none;
  note.payload = with(history, r);
  notes.emplace_back(settlements.open_number(), id);
  settlements.add(std::move(note));
}

void consumer_state::on_noted(const confirmed& x) {
  std::vector<job> runnable;
  auto [first, last] = std::ranges::stable_partition(
    notes, [&](auto& note) { return !x.has(note.first); });
  std::vector<std::pair<uint64_t, uint64_t>> noted(first, last);
  notes.erase(first, last);
  for (auto& [batch, id] : noted) {
    auto i = requests.find(id);
    if (i == requests.end())
      continue;
    i->second.noting = false;
    run(i->first, i->second, runnable);
  }
  if (!runnable.empty())
    self->send(pool, run_jobs{std::move(runnable)});
}

settlement consumer_state::run_again(const request& r, settlement end,
                                     const std::string& how) const {
  if (end.how != disposition::requeue || options.max_deliveries == 0)
    return end;
  auto history = history_before(r);
  history.add({options.now(), options.node.str(), how});
  if (history.count >= options.max_deliveries)
    return give_up(r, history, "the last time: " + how);
  end.payload = with(history, r);
  return end;
}

settlement consumer_state::give_up(const request& r,
                                   const delivery_history& history,
                                   const std::string& last) const {
  auto reason = fmt::format("begun {} times without an end", history.count);
  if (!last.empty())
    reason += "; " + last;
  spdlog::error("Task {} goes to the dead letters of queue {}: {}",
                r.display_name(), r.queue.str(), reason);
  return settle_given_up(r, with(history, r), reason);
}

} // namespace umbel
