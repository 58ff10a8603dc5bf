#include "actors/beat/beat_plan.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <variant>

namespace umbel {

expected<std::unique_ptr<beat_plan>>
beat_plan::make(std::vector<schedule::entry> entries,
                std::unique_ptr<beat_db> file, timestamp now,
                std::optional<std::chrono::microseconds> deadline) {
  std::unique_ptr<beat_plan> result{new beat_plan};
  auto known = file->load();
  if (!known)
    return known.error();
  beat_db::records all;
  beat_db::records fresh;
  for (auto& x : entries) {
    auto found = known->find(x.name);
    auto record = found != known->end() ? found->second : beat_record{now};
    if (found == known->end())
      fresh[x.name] = record;
    all[x.name] = record;
    result->records_.push_back(record);
  }
  result->entries_ = std::move(entries);
  result->file_ = std::move(file);
  result->deadline_ = deadline;
  // From the beginning: an entry that runs once a month and whose beat is started
  // again every week would never be due otherwise.
  auto done = result->file_->keep(all);
  if (done)
    done = result->file_->save(fresh);
  if (!done)
    return done.error();
  for (size_t i = 0; i < result->entries_.size(); ++i) {
    if (result->entries_[i].catch_up == schedule::catch_up::skip)
      result->forget_missed(i, now);
    result->push(i, schedule::next(result->entries_[i].when,
                                   result->records_[i].last_run_at));
  }
  return result;
}

std::vector<beat_plan::due_entry> beat_plan::take_due(timestamp now,
                                                      size_t max) {
  std::vector<due_entry> result;
  while (!heap_.empty() && heap_.front().due <= now && result.size() < max) {
    std::ranges::pop_heap(heap_, std::greater{}, &waiting::due);
    auto top = heap_.back();
    heap_.pop_back();
    auto times = due_times(top.index, now);
    if (times.empty()) { // the deadline is over
      records_[top.index].last_run_at = now;
      push(top.index, schedule::next(entries_[top.index].when, now));
      continue;
    }
    taken_.push_back(top);
    for (auto due : times)
      result.push_back({top.index, &entries_[top.index], due});
  }
  return result;
}

expected<void> beat_plan::sent(const std::vector<due_entry>& xs,
                               timestamp now) {
  for (auto& x : xs) {
    auto& record = records_[x.index];
    auto& entry = entries_[x.index];
    // An interval counts from the due time, so that it does not drift, unless it
    // has been missed altogether.
    auto late = schedule::next(entry.when, x.due) <= now;
    record.last_run_at
      = late && entry.catch_up != schedule::catch_up::all ? now : x.due;
    ++record.total_run_count;
    unsaved_[entry.name] = record;
  }
  taken_.clear();
  for (size_t i = 0; i < xs.size(); ++i)
    if (i + 1 == xs.size() || xs[i + 1].index != xs[i].index)
      push(xs[i].index, schedule::next(entries_[xs[i].index].when,
                                       records_[xs[i].index].last_run_at));
  auto saved = file_->save(unsaved_);
  if (saved)
    unsaved_.clear();
  return saved;
}

void beat_plan::put_back() {
  for (auto& x : taken_)
    push(x.index, x.due);
  taken_.clear();
}

std::optional<timestamp> beat_plan::next_due() const {
  if (heap_.empty())
    return std::nullopt;
  return heap_.front().due;
}

void beat_plan::push(size_t index, timestamp due) {
  heap_.push_back({due, index});
  std::ranges::push_heap(heap_, std::greater{}, &waiting::due);
}

void beat_plan::forget_missed(size_t index, timestamp now) {
  auto& record = records_[index];
  if (schedule::next(entries_[index].when, record.last_run_at) <= now)
    record.last_run_at = now;
}

/// The times for which tasks are to be sent: one, or with `all` one for each.
std::vector<timestamp> beat_plan::due_times(size_t index, timestamp now) const {
  auto& entry = entries_[index];
  auto last_run = records_[index].last_run_at;
  if (!schedule::is_due(entry.when, last_run, now, deadline_).due)
    return {};
  if (entry.catch_up != schedule::catch_up::all)
    return {schedule::next(entry.when, last_run)};
  // An interval may have passed so often that counting them all takes too long.
  if (auto x = std::get_if<schedule::interval>(&entry.when)) {
    auto missed = (now - last_run) / x->every;
    constexpr int64_t most = schedule::catch_up_max;
    if (missed > most)
      last_run += (missed - most) * x->every;
  }
  std::deque<timestamp> result;
  for (auto due = schedule::next(entry.when, last_run); due <= now;
       due = schedule::next(entry.when, due)) {
    result.push_back(due);
    if (result.size() > schedule::catch_up_max)
      result.pop_front();
  }
  return {result.begin(), result.end()};
}

} // namespace umbel
