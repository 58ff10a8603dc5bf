// Decides which child runs which job. A value without threads or clocks of its
// own: the pool supervisor tells it what happened and when.
//
// The rule: an idle child gets a job before any busy child gets a second one. A
// busy child may be given a short run of jobs ahead, as long as all it has is
// estimated to take no longer than `ahead_time`, and what it runs now has not
// already taken that long; the estimate for a task is the
// moving average of its own run times, and a task never seen is never run
// ahead. If a run turns out longer than estimated, `overdue` names the child
// and the supervisor recalls what it has not begun.
//
// A child that is to be replaced is not stopped before its successor is there.
// It may have an allowance, the number of jobs that it is given in its life;
// and when it is on notice, it gets one job at a time, and only such as are
// known to be short.
//
// What is done for each job costs the logarithm of the number of children at
// most: the cooperative pool has thousands.
#pragma once

#include "actors/pool/job.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace umbel {

class dispatcher {
public:
  // -- member types -------------------------------------------------------------

  using child_id = uint64_t;
  using time_point = std::chrono::steady_clock::time_point;
  using microseconds = std::chrono::microseconds;

  /// Jobs for one child, to be appended to what it has.
  struct assignment {
    child_id child;
    std::vector<job> jobs;
  };

  /// What a lost child leaves.
  struct remains {
    std::optional<uint64_t> running; ///< the job it was at; the others are
                                     ///< waiting again, in their old order
  };

  // -- constants ----------------------------------------------------------------

  /// Longer: fewer messages between parent and child. Shorter: fewer recalls.
  static constexpr microseconds ahead_time{4'000};

  /// Bounds the memory that a run of very short jobs takes in a child.
  static constexpr size_t ahead_max = 256;

  /// A child whose current job runs longer than this while others wait behind
  /// it is overdue. Bounds how long a job can be stuck behind a long one.
  static constexpr microseconds patience{10'000};

  /// An allowance that never ends.
  static constexpr size_t unlimited = std::numeric_limits<size_t>::max();

  // -- children -----------------------------------------------------------------

  /// @param allowance how many jobs it may be given in its life
  void add_child(child_id child, size_t allowance = unlimited);

  /// From now on the child gets one short job at a time. @returns whether it
  /// holds jobs that it has not begun: they are to be recalled, as for one that
  /// is `overdue`.
  bool give_notice(child_id child);

  /// Whether the child was given all the jobs that it may be given.
  bool is_exhausted(child_id child) const;

  /// Whether the child is known and runs nothing.
  bool is_idle(child_id child) const {
    return idle_.count(child) > 0;
  }

  /// @param unseen so many of the last jobs that it was given it cannot have seen
  remains remove_child(child_id child, size_t unseen = 0);

  /// Gives the child nothing more, although it may be idle.
  void close(child_id child) {
    set_closed(child, true);
  }

  /// Takes that back.
  void reopen(child_id child) {
    set_closed(child, false);
  }

  size_t num_children() const noexcept {
    return children_.size();
  }

  // -- jobs ---------------------------------------------------------------------

  /// Appends jobs to the waiting line.
  void enqueue(std::vector<job> jobs);

  /// Hands waiting jobs to children by the rule above.
  std::vector<assignment> assign(time_point now);

  /// Notes that `child` finished `id`. @returns the job that it began instead.
  std::optional<uint64_t> finish(child_id child, uint64_t id,
                                 microseconds runtime, time_point now);

  /// Children that hold jobs back behind one that runs long; each is named once
  /// until it has answered with `give_back`.
  std::vector<child_id> overdue(time_point now);

  /// Whether some child holds jobs that it has not begun.
  bool running_ahead() const noexcept {
    return !ahead_.empty();
  }

  /// Returns recalled jobs to the head of the waiting line.
  void give_back(child_id child, const std::vector<uint64_t>& ids);

  /// Removes waiting jobs from the tail until `keep` remain, newest first.
  std::vector<uint64_t> take_back(size_t keep);

  /// Takes out one waiting job. @returns whether it was waiting.
  bool withdraw(uint64_t id);

  /// The child that holds this job, begun or not, if any.
  std::optional<child_id> holder_of(uint64_t id) const;

  /// What `child` runs now, or null.
  const job* running(child_id child) const;

  /// Whether `child` holds jobs that it has not begun.
  bool runs_ahead(child_id child) const {
    return ahead_.contains(child);
  }

  /// Whether `child` runs this job now.
  bool is_running(child_id child, uint64_t id) const;

  /// The child that runs this job now, if any.
  std::optional<child_id> runner_of(uint64_t id) const;

  /// Jobs that no child has.
  size_t num_waiting() const noexcept {
    return waiting_.size();
  }

  /// Whether the child is known and runs something.
  bool is_busy(child_id child) const {
    return children_.count(child) > idle_.count(child);
  }

  /// What a child is at.
  struct occupation {
    std::string task; ///< of the job that runs; empty: none
    time_point since; ///< when that began
    size_t ahead = 0; ///< jobs that it has and has not begun
  };

  occupation occupation_of(child_id child) const;

  /// Children that run nothing, the newest first.
  std::vector<child_id> idle_children() const;

  /// Children that run something.
  size_t num_busy() const noexcept {
    return children_.size() - idle_.size();
  }

private:
  struct assigned {
    job what;
    microseconds cost; ///< the estimate when it was assigned
  };

  struct child {
    std::deque<assigned> jobs; ///< the first one is running
    time_point since;          ///< when the first one began
    microseconds load{0};      ///< sum of the costs
    size_t allowance = unlimited; ///< jobs that it may still be given
    bool recalled = false;
    bool on_notice = false;
    bool closed = false;
  };

  using child_map = std::map<child_id, child>;

  void set_closed(child_id child, bool closed);

  /// Puts a child into the sets below that it belongs to. To be taken out with
  /// `unlist` before, and put back with `enlist` after it changes.
  void enlist(child_id id, const child& x);
  void unlist(child_id id, const child& x);

  /// Moves a child's jobs from `first` on to the head of the waiting line.
  void put_back(child& from, std::deque<assigned>::iterator first);

  /// Empty for a task that was never seen to end.
  std::optional<microseconds> estimate(const std::string& task) const;

  /// The child that should get the next job, or `children_.end()`.
  child_map::iterator pick(std::optional<microseconds> cost, time_point now);

  child_map children_;
  std::set<child_id> idle_;  ///< have no job
  std::set<child_id> free_;  ///< of these: may be given any job
  std::set<child_id> brief_; ///< of these: on notice, may be given a short one
  /// Busy, and may be given more: not closed, not recalled, and not seen to run long. By
  /// load.
  std::set<std::pair<microseconds, child_id>> open_;
  std::set<child_id> ahead_; ///< hold jobs that they have not begun
  std::unordered_map<uint64_t, child_id> owners_; ///< of the jobs they have
  std::deque<job> waiting_;
  std::unordered_map<std::string, microseconds> average_;
};

} // namespace umbel
