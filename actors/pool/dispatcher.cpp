#include "actors/pool/dispatcher.hpp"

#include <algorithm>

namespace umbel {

// -- children -------------------------------------------------------------------

void dispatcher::add_child(child_id id) {
  children_.try_emplace(id);
}

dispatcher::remains dispatcher::remove_child(child_id id) {
  remains result;
  auto i = children_.find(id);
  if (i == children_.end())
    return result;
  if (auto& jobs = i->second.jobs; !jobs.empty()) {
    result.running = jobs.front().what.id;
    put_back(i->second, jobs.begin() + 1);
  }
  children_.erase(i);
  return result;
}

void dispatcher::put_back(child& from, std::deque<assigned>::iterator first) {
  for (auto i = from.jobs.end(); i != first;) {
    --i;
    from.load -= i->cost;
    waiting_.push_front(std::move(i->what));
  }
  from.jobs.erase(first, from.jobs.end());
}

// -- jobs -----------------------------------------------------------------------

void dispatcher::enqueue(std::vector<job> jobs) {
  waiting_.insert(waiting_.end(), std::make_move_iterator(jobs.begin()),
                  std::make_move_iterator(jobs.end()));
}

std::optional<dispatcher::microseconds>
dispatcher::estimate(const std::string& task) const {
  auto i = average_.find(task);
  if (i == average_.end())
    return std::nullopt;
  // A run of very many jobs costs something even if each takes no time.
  return std::max(i->second, microseconds{1});
}

dispatcher::child_map::iterator
dispatcher::pick(std::optional<microseconds> cost, time_point now) {
  auto best = children_.end();
  for (auto i = children_.begin(); i != children_.end(); ++i) {
    auto& candidate = i->second;
    if (candidate.jobs.empty())
      return i;
    if (!cost || candidate.recalled || candidate.jobs.size() >= ahead_max
        || candidate.load + *cost > ahead_time
        || now - candidate.since > ahead_time)
      continue;
    if (best == children_.end() || candidate.load < best->second.load)
      best = i;
  }
  return best;
}

std::vector<dispatcher::assignment> dispatcher::assign(time_point now) {
  std::map<child_id, std::vector<job>> runs;
  while (!waiting_.empty()) {
    auto cost = estimate(waiting_.front().task);
    auto to = pick(cost, now);
    if (to == children_.end())
      break;
    auto& [id, state] = *to;
    if (state.jobs.empty())
      state.since = now;
    // A task never seen fills the child: nothing is put behind it.
    state.jobs.push_back({std::move(waiting_.front()),
                          cost.value_or(ahead_time)});
    state.load += state.jobs.back().cost;
    waiting_.pop_front();
    runs[id].push_back(state.jobs.back().what);
  }
  std::vector<assignment> result;
  for (auto& [id, jobs] : runs)
    result.push_back({id, std::move(jobs)});
  return result;
}

std::optional<uint64_t> dispatcher::finish(child_id id, uint64_t job_id,
                                           microseconds runtime,
                                           time_point now) {
  auto i = children_.find(id);
  if (i == children_.end() || i->second.jobs.empty()
      || i->second.jobs.front().what.id != job_id)
    return std::nullopt;
  auto& state = i->second;
  auto& done = state.jobs.front();
  auto [average, fresh] = average_.try_emplace(done.what.task, runtime);
  if (!fresh)
    average->second += (runtime - average->second) / 8;
  state.load -= done.cost;
  state.since = now;
  state.jobs.pop_front();
  if (state.jobs.empty())
    return std::nullopt;
  return state.jobs.front().what.id;
}

std::vector<dispatcher::child_id> dispatcher::overdue(time_point now) {
  std::vector<child_id> result;
  for (auto& [id, candidate] : children_)
    if (candidate.jobs.size() > 1 && !candidate.recalled
        && now - candidate.since > patience) {
      candidate.recalled = true;
      result.push_back(id);
    }
  return result;
}

bool dispatcher::running_ahead() const noexcept {
  return std::any_of(children_.begin(), children_.end(),
                     [](auto& kv) { return kv.second.jobs.size() > 1; });
}

void dispatcher::give_back(child_id id, const std::vector<uint64_t>& ids) {
  auto i = children_.find(id);
  if (i == children_.end())
    return;
  i->second.recalled = false;
  // They are the tail of what the child has, in the same order.
  auto& jobs = i->second.jobs;
  put_back(i->second,
           std::find_if(jobs.begin(), jobs.end(), [&](const assigned& x) {
             return std::find(ids.begin(), ids.end(), x.what.id) != ids.end();
           }));
}

std::vector<uint64_t> dispatcher::take_back(size_t keep) {
  std::vector<uint64_t> result;
  while (waiting_.size() > keep) {
    result.push_back(waiting_.back().id);
    waiting_.pop_back();
  }
  return result;
}

bool dispatcher::is_running(child_id child, uint64_t id) const {
  auto i = children_.find(child);
  return i != children_.end() && !i->second.jobs.empty()
         && i->second.jobs.front().what.id == id;
}

std::optional<dispatcher::child_id> dispatcher::runner_of(uint64_t id) const {
  for (auto& [child, state] : children_)
    if (is_running(child, id))
      return child;
  return std::nullopt;
}

std::vector<dispatcher::child_id> dispatcher::idle_children() const {
  std::vector<child_id> result;
  for (auto i = children_.rbegin(); i != children_.rend(); ++i)
    if (i->second.jobs.empty())
      result.push_back(i->first);
  return result;
}

size_t dispatcher::num_busy() const noexcept {
  return static_cast<size_t>(
    std::count_if(children_.begin(), children_.end(),
                  [](auto& kv) { return !kv.second.jobs.empty(); }));
}

} // namespace umbel
