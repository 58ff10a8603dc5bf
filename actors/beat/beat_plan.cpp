#include "actors/beat/beat_plan.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <variant>

namespace umbel {

using schedule::stored_entry;

/// An entry with what is known of it.
struct beat_plan::slot {
  schedule::entry what;
  schedule::run_record runs;
  bool enabled = true;
};

namespace {

/// One of the configuration that is not stored yet.
stored_entry fresh(const schedule::entry& x) {
  stored_entry result;
  result.name = x.name;
  result.definition = x.definition;
  return result;
}

} // namespace

beat_plan::beat_plan(beat_plan_options options,
                     std::unique_ptr<schedule::store> memory)
    : options_(std::move(options)), memory_(std::move(memory)) {
  for (auto& x : options_.entries)
    configured_[x.name] = &x;
}

beat_plan::~beat_plan() {
  // What could not be written before; if it cannot now, it was said before.
  [[maybe_unused]] auto done = save({});
}

size_t beat_plan::size() const noexcept {
  return slots_.empty() ? configured_.size() : slots_.size();
}

// -- entries ------------------------------------------------------------------------

expected<bool> beat_plan::take_over(timestamp now) {
  auto stored = memory_->load();
  if (!stored)
    return stored.error();
  identity_ = stored->identity;
  slots_.clear();
  heap_.clear();
  requests_.clear();
  taken_.clear();
  taken_requests_.clear();
  changed_.clear();
  auto configured = configure(*stored);
  if (!configured || !*configured)
    return configured;
  for (auto& x : stored->entries)
    set(x, now);
  for (auto& [name, entry] : configured_)
    if (!slots_.contains(name))
      set(fresh(*entry), now);
  // From the beginning: an entry that runs once a month and whose beat is started
  // again every week would never be due otherwise.
  return save({});
}

/// Writes what differs from the configuration.
expected<bool> beat_plan::configure(const schedule::stored_schedule& stored) {
  schedule::configuration_change change;
  change.zone = options_.zone;
  for (auto& [name, entry] : configured_)
    change.definitions[name] = entry->definition;
  for (auto& x : stored.entries) {
    auto found = configured_.find(x.name);
    if (found == configured_.end()) {
      if (!x.live)
        change.gone.push_back(x.name);
    } else if (x.live || x.definition == found->second->definition) {
      change.definitions.erase(x.name);
    }
  }
  if (change.definitions.empty() && change.gone.empty()
      && change.zone == stored.zone)
    return true;
  return memory_->configure(change);
}

expected<bool> beat_plan::update(std::span<const std::string> names,
                                 timestamp now) {
  changed_.insert(names.begin(), names.end());
  if (changed_.empty())
    return true;
  auto loaded = memory_->load(std::vector(changed_.begin(), changed_.end()));
  if (!loaded)
    return loaded.error();
  for (auto& name : changed_)
    erase(name);
  for (auto& x : *loaded)
    set(x, now);
  std::erase_if(unsaved_, [&](auto& x) { return !slots_.contains(x.first); });
  // A live entry that is removed shows the one of the configuration again.
  schedule::configuration_change back;
  back.zone = options_.zone;
  for (auto& name : changed_)
    if (auto found = configured_.find(name);
        found != configured_.end() && !slots_.contains(name)) {
      back.definitions[name] = found->second->definition;
      set(fresh(*found->second), now);
    }
  auto done = back.definitions.empty() ? expected<bool>{true}
                                       : memory_->configure(back);
  // A disk that is full is no reason to stop: it is tried again.
  if (done)
    changed_.clear();
  return !done || *done;
}

void beat_plan::set(const stored_entry& x, timestamp now) {
  slot here;
  auto configured = configured_.find(x.name);
  if (!x.live) {
    if (configured == configured_.end())
      return; // gone
    here.what = *configured->second;
  } else {
    auto parsed = options_.parse(x.name, x.definition);
    if (!parsed) {
      spdlog::error("{}; it was added by a command and is passed over",
                    parsed.error().what);
      return;
    }
    here.what = std::move(*parsed);
  }
  here.enabled = x.enabled;
  here.runs = x.runs;
  if (auto kept = unsaved_.find(x.name);
      kept != unsaved_.end()
      && kept->second.last_run_at >= here.runs.last_run_at)
    here.runs = kept->second;
  auto& last_run = here.runs.last_run_at;
  auto begin = std::max(x.changed_at, last_run);
  if (begin == timestamp{})
    begin = now;
  // What a paused beat missed is forgotten, but not what was due when no beat led.
  auto paused_until = now - memory_->takeover_time();
  if (here.what.catch_up == schedule::catch_up::skip
      && schedule::next(here.what.when, begin) <= paused_until)
    begin = std::max<timestamp>(begin, paused_until);
  if (begin != last_run) {
    last_run = begin;
    unsaved_[x.name] = here.runs;
  }
  auto& place = slots_[x.name] = std::move(here);
  if (place.enabled)
    plan(place);
  for (auto i = place.runs.requests_served + 1; i <= x.requests; ++i)
    requests_.push_back({&place, &place.what,
                         schedule::request_id(identity_, x.name, i), now, i});
}

void beat_plan::erase(const std::string& name) {
  auto found = slots_.find(name);
  if (found == slots_.end())
    return;
  auto place = &found->second;
  std::erase_if(heap_, [&](auto& x) { return x.place == place; });
  std::ranges::make_heap(heap_, std::greater{}, &waiting::due);
  std::erase_if(requests_, [&](auto& x) { return x.place == place; });
  slots_.erase(found);
}

void beat_plan::plan(slot& x) {
  heap_.push_back({schedule::next(x.what.when, x.runs.last_run_at), &x});
  std::ranges::push_heap(heap_, std::greater{}, &waiting::due);
}

// -- sending ------------------------------------------------------------------------

std::vector<beat_plan::due_entry> beat_plan::take_due(timestamp now,
                                                      size_t max) {
  auto n = std::min(max, requests_.size());
  taken_requests_.assign(requests_.begin(),
                         requests_.begin() + static_cast<ptrdiff_t>(n));
  requests_.erase(requests_.begin(),
                  requests_.begin() + static_cast<ptrdiff_t>(n));
  auto result = taken_requests_;
  while (!heap_.empty() && heap_.front().due <= now && result.size() < max) {
    std::ranges::pop_heap(heap_, std::greater{}, &waiting::due);
    auto top = heap_.back();
    heap_.pop_back();
    auto times = due_times(*top.place, now);
    if (times.empty()) { // the deadline is over
      top.place->runs.last_run_at = now;
      plan(*top.place);
      continue;
    }
    taken_.push_back(top);
    auto& what = top.place->what;
    for (auto due : times)
      result.push_back(
          {top.place, &what, schedule::due_id(identity_, what.name, due), due});
  }
  return result;
}

void beat_plan::note(const std::vector<due_entry>& xs, timestamp now) {
  for (auto& x : xs) {
    auto& [entry, record, enabled] = *x.place;
    ++record.total_run_count;
    if (x.request != 0) {
      record.requests_served = x.request;
    } else {
      // An interval counts from the due time, so that it does not drift, unless it
      // has been missed altogether.
      auto late = schedule::next(entry.when, x.due) <= now;
      record.last_run_at =
          late && entry.catch_up != schedule::catch_up::all ? now : x.due;
    }
    unsaved_[entry.name] = record;
  }
  for (auto& x : taken_)
    plan(*x.place);
  taken_.clear();
  taken_requests_.clear();
}

expected<bool> beat_plan::save(std::span<const outgoing_message> messages) {
  if (messages.empty() && unsaved_.empty())
    return true;
  auto saved = memory_->commit(messages, unsaved_);
  if (saved || !messages.empty())
    unsaved_.clear();
  return saved;
}

void beat_plan::put_back() {
  for (auto& x : taken_) {
    heap_.push_back(x);
    std::ranges::push_heap(heap_, std::greater{}, &waiting::due);
  }
  taken_.clear();
  requests_.insert(requests_.begin(), taken_requests_.begin(),
                   taken_requests_.end());
  taken_requests_.clear();
}

std::optional<timestamp> beat_plan::next_due() const {
  if (!requests_.empty())
    return requests_.front().due;
  if (heap_.empty())
    return std::nullopt;
  return heap_.front().due;
}

/// The times for which tasks are to be sent: one, or with `all` one for each.
std::vector<timestamp> beat_plan::due_times(const slot& x,
                                            timestamp now) const {
  auto& entry = x.what;
  auto last_run = x.runs.last_run_at;
  if (!schedule::is_due(entry.when, last_run, now, options_.deadline).due)
    return {};
  if (entry.catch_up != schedule::catch_up::all)
    return {schedule::next(entry.when, last_run)};
  // An interval may have passed so often that counting them all takes too long.
  if (auto every = std::get_if<schedule::interval>(&entry.when)) {
    auto missed = (now - last_run) / every->every;
    constexpr int64_t most = schedule::catch_up_max;
    if (missed > most)
      last_run += (missed - most) * every->every;
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
