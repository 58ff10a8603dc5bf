#include "actors/pool/dispatcher.hpp"

#include <algorithm>
#include <unordered_set>

namespace umbel {

// -- children -------------------------------------------------------------------

void dispatcher::add_child(child_id id, size_t allowance) {
  auto [i, fresh] = children_.try_emplace(id);
  if (!fresh)
    return;
  i->second.allowance = allowance;
  enlist(id, i->second);
}

bool dispatcher::give_notice(child_id id) {
  auto i = children_.find(id);
  if (i == children_.end())
    return false;
  auto& x = i->second;
  unlist(id, x);
  x.on_notice = true;
  auto to_recall = x.jobs.size() > 1 && !x.recalled;
  x.recalled |= to_recall;
  enlist(id, x);
  return to_recall;
}

bool dispatcher::is_exhausted(child_id id) const {
  auto i = children_.find(id);
  return i != children_.end() && i->second.allowance == 0;
}

void dispatcher::enlist(child_id id, const child& x) {
  if (x.jobs.empty())
    idle_.insert(id);
  auto may_get_more = x.allowance > 0 && !x.closed;
  if (x.jobs.empty() && may_get_more)
    (x.on_notice ? brief_ : free_).insert(id);
  else if (may_get_more && !x.recalled && !x.on_notice)
    open_.emplace(x.load, id);
  if (x.jobs.size() > 1)
    ahead_.insert(id);
}

void dispatcher::unlist(child_id id, const child& x) {
  idle_.erase(id);
  free_.erase(id);
  brief_.erase(id);
  open_.erase({x.load, id});
  if (x.jobs.size() > 1)
    ahead_.erase(id);
}

dispatcher::remains dispatcher::remove_child(child_id id, size_t unseen) {
  remains result;
  auto i = children_.find(id);
  if (i == children_.end())
    return result;
  unlist(id, i->second);
  if (auto& jobs = i->second.jobs; !jobs.empty()) {
    auto first = jobs.begin();
    if (jobs.size() > unseen) {
      result.running = first->what.id;
      owners_.erase(*result.running);
      ++first;
    }
    put_back(i->second, first);
  }
  children_.erase(i);
  return result;
}

void dispatcher::set_closed(child_id id, bool closed) {
  auto i = children_.find(id);
  if (i == children_.end())
    return;
  unlist(id, i->second);
  i->second.closed = closed;
  enlist(id, i->second);
}

void dispatcher::put_back(child& from, std::deque<assigned>::iterator first) {
  for (auto i = from.jobs.end(); i != first;) {
    --i;
    from.load -= i->cost;
    if (from.allowance != unlimited)
      ++from.allowance;
    owners_.erase(i->what.id);
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
  if (!free_.empty())
    return children_.find(*free_.begin());
  if (!cost)
    return children_.end();
  if (!brief_.empty() && *cost <= ahead_time)
    return children_.find(*brief_.begin());
  for (auto i = open_.begin(); i != open_.end();) {
    if (i->first + *cost > ahead_time)
      break;
    auto candidate = children_.find(i->second);
    if (now - candidate->second.since > ahead_time) {
      i = open_.erase(i); // until it begins another job
      continue;
    }
    if (candidate->second.jobs.size() < ahead_max)
      return candidate;
    ++i;
  }
  return children_.end();
}

std::vector<dispatcher::assignment> dispatcher::assign(time_point now) {
  std::map<child_id, std::vector<job>> runs;
  while (!waiting_.empty()) {
    auto cost = estimate(waiting_.front().task);
    auto to = pick(cost, now);
    if (to == children_.end())
      break;
    auto& [id, state] = *to;
    unlist(id, state);
    if (state.jobs.empty())
      state.since = now;
    // A task never seen fills the child: nothing is put behind it.
    state.jobs.push_back({std::move(waiting_.front()),
                          cost.value_or(ahead_time)});
    state.load += state.jobs.back().cost;
    if (state.allowance != unlimited)
      --state.allowance;
    waiting_.pop_front();
    auto& given = state.jobs.back().what;
    owners_[given.id] = id;
    enlist(id, state);
    runs[id].push_back(given);
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
  unlist(id, state);
  owners_.erase(job_id);
  state.load -= done.cost;
  state.since = now;
  state.jobs.pop_front();
  enlist(id, state);
  if (state.jobs.empty())
    return std::nullopt;
  return state.jobs.front().what.id;
}

std::vector<dispatcher::child_id> dispatcher::overdue(time_point now) {
  std::vector<child_id> result;
  for (auto id : ahead_) {
    auto& candidate = children_.at(id);
    if (candidate.recalled || now - candidate.since <= patience)
      continue;
    // Not by unlist: it stays in the set that is walked over.
    open_.erase({candidate.load, id});
    candidate.recalled = true;
    result.push_back(id);
  }
  return result;
}

void dispatcher::give_back(child_id id, const std::vector<uint64_t>& ids) {
  auto i = children_.find(id);
  if (i == children_.end())
    return;
  unlist(id, i->second);
  i->second.recalled = false;
  // Not simply the tail: behind them may be what was sent after the recall.
  std::unordered_set<uint64_t> returned{ids.begin(), ids.end()};
  auto& jobs = i->second.jobs;
  put_back(i->second,
           std::stable_partition(jobs.begin(), jobs.end(),
                                 [&](const assigned& x) {
                                   return !returned.contains(x.what.id);
                                 }));
  enlist(id, i->second);
}

std::vector<uint64_t> dispatcher::take_back(size_t keep) {
  std::vector<uint64_t> result;
  while (waiting_.size() > keep) {
    result.push_back(waiting_.back().id);
    waiting_.pop_back();
  }
  return result;
}

bool dispatcher::withdraw(uint64_t id) {
  auto i = std::find_if(waiting_.begin(), waiting_.end(),
                        [id](auto& x) { return x.id == id; });
  if (i == waiting_.end())
    return false;
  waiting_.erase(i);
  return true;
}

std::optional<dispatcher::child_id> dispatcher::holder_of(uint64_t id) const {
  auto i = owners_.find(id);
  if (i == owners_.end())
    return std::nullopt;
  return i->second;
}

const job* dispatcher::running(child_id child) const {
  auto i = children_.find(child);
  if (i == children_.end() || i->second.jobs.empty())
    return nullptr;
  return &i->second.jobs.front().what;
}

bool dispatcher::is_running(child_id child, uint64_t id) const {
  auto i = children_.find(child);
  return i != children_.end() && !i->second.jobs.empty()
         && i->second.jobs.front().what.id == id;
}

std::optional<dispatcher::child_id> dispatcher::runner_of(uint64_t id) const {
  auto i = owners_.find(id);
  if (i == owners_.end() || !is_running(i->second, id))
    return std::nullopt;
  return i->second;
}

dispatcher::occupation dispatcher::occupation_of(child_id id) const {
  auto i = children_.find(id);
  if (i == children_.end() || i->second.jobs.empty())
    return {};
  auto& x = i->second;
  return {x.jobs.front().what.task, x.since, x.jobs.size() - 1};
}

std::vector<dispatcher::child_id> dispatcher::idle_children() const {
  return {idle_.rbegin(), idle_.rend()};
}

} // namespace umbel
