#include "protocol/control/cluster_state.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

using namespace std::chrono_literals;

constexpr size_t id_max = 256;

/// How far rates look back.
constexpr auto rate_window = 5s;

struct known_event {
  std::string_view type;
  std::string_view state;
  /// Which of two states is further on, should events come in another order than
  /// they were said (Celery's precedence).
  int rank;
};

constexpr known_event known_events[] = {
  {"task-sent", "PENDING", 0},      {"task-retried", "RETRY", 1},
  {"task-rejected", "REJECTED", 2}, {"task-received", "RECEIVED", 3},
  {"task-started", "STARTED", 4},   {"task-revoked", "REVOKED", 5},
  {"task-failed", "FAILURE", 6},    {"task-succeeded", "SUCCESS", 7},
};

const known_event* find_event(std::string_view type) {
  auto found = std::ranges::find(known_events, type, &known_event::type);
  return found == std::end(known_events) ? nullptr : found;
}

int rank_of(std::string_view state) {
  auto found = std::ranges::find(known_events, state, &known_event::state);
  return found == std::end(known_events) ? 4 : found->rank;
}

/// At most `max` bytes, and no part of a character.
std::string bounded(std::string_view x, size_t max) {
  if (x.size() > max) {
    while (max > 0 && (static_cast<unsigned char>(x[max]) & 0xc0u) == 0x80u)
      --max;
    x = x.substr(0, max);
  }
  return std::string{x};
}

uint64_t whole(const event& x, std::string_view name) {
  return static_cast<uint64_t>(std::clamp(x.number(name).value_or(0), 0.0, 1e15));
}

/// Fields that all events have, or that have a place of their own.
bool is_fact(std::string_view name) {
  for (auto other : {"type", "hostname", "timestamp", "utcoffset", "pid",
                     "clock", "uuid", "name", "local_received"})
    if (name == other)
      return false;
  return true;
}

void note_facts(observed_task& to, const json::object& fields) {
  for (auto& [name, value] : fields) {
    if (!is_fact(name) || value.is_null() || name.size() > id_max)
      continue;
    auto max = name == "traceback" ? 4 * cluster_state::text_max
                                   : cluster_state::text_max;
    auto place = to.facts.find(std::string_view{name});
    if (place == to.facts.end()) {
      if (to.facts.size() == cluster_state::facts_max)
        continue;
      place = to.facts.emplace(std::string{name}, std::string{}).first;
    }
    place->second = value.is_string()
                      ? bounded({value.get_string().data(),
                                 value.get_string().size()},
                                max)
                      : python_repr(value, max);
  }
}

} // namespace

bool observed_worker::online(timestamp now) const {
  return !said_offline
         && now - heard < std::chrono::duration<double>{2 * interval};
}

std::string_view observed_task::fact(std::string_view name) const {
  auto found = facts.find(name);
  return found == facts.end() ? std::string_view{} : found->second;
}

void cluster_state::apply(const event& x, timestamp heard) {
  ++events_;
  count(false, heard);
  if (x.type.starts_with("worker-"))
    apply_to_worker(x, heard);
  else if (x.type.starts_with("task-"))
    apply_to_task(x, heard);
}

observed_worker* cluster_state::worker(const node_name& node) {
  if (node.empty() || node.str().size() > id_max)
    return nullptr;
  auto found = workers_.find(node);
  if (found != workers_.end())
    return &found->second;
  if (workers_.size() == workers_max) {
    auto silent = std::ranges::min_element(workers_, {}, [](auto& x) {
      return x.second.heard;
    });
    workers_.erase(silent);
  }
  auto& result = workers_[node];
  result.node = node;
  return &result;
}

void cluster_state::apply_to_worker(const event& x, timestamp heard) {
  auto to = worker(x.node);
  if (to == nullptr)
    return;
  to->heard = heard;
  to->said_offline = x.type == "worker-offline";
  if (auto interval = x.number("freq"); interval && *interval > 0)
    to->interval = std::min(*interval, 86'400.0);
  if (auto pid = x.number("pid"))
    to->pid = static_cast<int64_t>(std::clamp(*pid, 0.0, 1e15));
  if (x.number("active"))
    to->active = whole(x, "active");
  if (x.number("processed"))
    to->processed = whole(x, "processed");
  if (auto load = x.fields.if_contains("loadavg"); load && load->is_array()) {
    auto& list = load->get_array();
    for (size_t i = 0; i < std::min<size_t>(3, list.size()); ++i)
      to->load[i] = list[i].is_number() ? list[i].to_number<double>() : 0;
  }
  if (auto name = x.text("sw_ident"); !name.empty())
    to->software = bounded(fmt::format("{} {} ({})", name, x.text("sw_ver"),
                                       x.text("sw_sys")),
                           id_max);
}

void cluster_state::apply_to_task(const event& x, timestamp heard) {
  auto id = x.text("uuid");
  if (id.empty() || id.size() > id_max)
    return;
  auto known = find_event(x.type);
  auto found = by_id_.find(std::string{id});
  if (found == by_id_.end()) {
    if (tasks_.size() == tasks_max) {
      by_id_.erase(tasks_.back().id);
      tasks_.pop_back();
    }
    tasks_.emplace_front();
    tasks_.front().id = id;
    found = by_id_.emplace(id, tasks_.begin()).first;
  } else {
    tasks_.splice(tasks_.begin(), tasks_, found->second);
  }
  auto& to = *found->second;
  to.changed = heard;
  if (auto name = x.text("name"); !name.empty())
    to.name = bounded(name, id_max);
  note_facts(to, x.fields);
  std::string state{known != nullptr ? known->state : std::string_view{}};
  if (known == nullptr)
    for (auto c : bounded(std::string_view{x.type}.substr(5), 32))
      state += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  // What comes late tells facts, but not what becomes of the task now.
  auto late = !to.state.empty() && to.state != "RETRY" && state != "RETRY"
              && rank_of(state) < rank_of(to.state);
  if (!late) {
    to.state = std::move(state);
    if (x.type != "task-sent" && x.node.str().size() <= id_max)
      to.node = x.node;
  }
  if (x.type == "task-received")
    ++counts_.received;
  else if (x.type == "task-succeeded")
    ++counts_.succeeded;
  else if (x.type == "task-failed")
    ++counts_.failed;
  else if (x.type == "task-retried")
    ++counts_.retried;
  else if (x.type == "task-revoked" || x.type == "task-rejected")
    ++counts_.revoked;
  else
    return;
  if (x.type != "task-received")
    count(true, heard);
}

void cluster_state::count(bool ended, timestamp heard) {
  auto at = std::chrono::floor<std::chrono::seconds>(heard);
  if (seconds_.empty() || seconds_.back().at != at) {
    seconds_.push_back({at, 0, 0});
    if (seconds_.size() > 2 * static_cast<size_t>(rate_window.count()))
      seconds_.pop_front();
  }
  auto& now = seconds_.back();
  ++(ended ? now.ended : now.events);
}

template <class Member>
double cluster_state::per_second(timestamp now, Member what) const {
  // The second that is not over yet would be too few.
  auto end = std::chrono::floor<std::chrono::seconds>(now);
  uint64_t sum = 0;
  for (auto& x : seconds_)
    if (x.at < end && x.at >= end - rate_window)
      sum += x.*what;
  return static_cast<double>(sum) / static_cast<double>(rate_window.count());
}

double cluster_state::tasks_per_second(timestamp now) const {
  return per_second(now, &second::ended);
}

double cluster_state::events_per_second(timestamp now) const {
  return per_second(now, &second::events);
}

std::vector<const observed_worker*> cluster_state::workers() const {
  std::vector<const observed_worker*> result;
  for (auto& [node, x] : workers_)
    result.push_back(&x);
  return result;
}

std::vector<const observed_task*> cluster_state::tasks(size_t max) const {
  std::vector<const observed_task*> result;
  for (auto& x : tasks_) {
    if (result.size() == max)
      break;
    result.push_back(&x);
  }
  return result;
}

const observed_task* cluster_state::find(std::string_view id) const {
  auto found = by_id_.find(std::string{id});
  return found == by_id_.end() ? nullptr : &*found->second;
}

} // namespace umbel
