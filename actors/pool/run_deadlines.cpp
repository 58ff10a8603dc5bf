#include "actors/pool/run_deadlines.hpp"

#include <algorithm>

namespace umbel {

namespace {

constexpr std::chrono::milliseconds none{0};

} // namespace

void run_deadlines::begin(uint64_t job, const time_limits& limits,
                          time_point now) {
  if (!limits.any())
    return;
  auto& run = runs_[job] = {limits, now};
  note(earliest(run));
}

void run_deadlines::end(uint64_t job) {
  if (runs_.empty())
    return;
  runs_.erase(job);
  if (runs_.empty())
    next_.reset();
}

std::vector<run_deadlines::due> run_deadlines::take_due(time_point now) {
  std::vector<due> result;
  next_.reset();
  for (auto i = runs_.begin(); i != runs_.end();) {
    auto& [job, run] = *i;
    auto& [soft, hard] = run.limits;
    if (hard != none && now >= run.since + hard) {
      result.push_back({job, true, hard});
      i = runs_.erase(i);
      continue;
    }
    if (soft != none && now >= run.since + soft) {
      result.push_back({job, false, soft});
      soft = none;
    }
    if (!run.limits.any()) {
      i = runs_.erase(i);
      continue;
    }
    note(earliest(run));
    ++i;
  }
  return result;
}

run_deadlines::time_point run_deadlines::earliest(const entry& x) {
  auto [soft, hard] = x.limits;
  if (soft == none || (hard != none && hard < soft))
    return x.since + hard;
  return x.since + soft;
}

void run_deadlines::note(time_point x) {
  next_ = next_ ? std::min(*next_, x) : x;
}

} // namespace umbel
