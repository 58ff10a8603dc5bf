// Which children there are: who has a place in the pool, who will take one
// over, and who is on the way out. A value without clocks: the pool supervisor
// tells it what happened, starts and stops what it says, and logs why.
//
//     start --> member ------------------------> leaving --> gone
//                  ^   has worked enough: its
//     start --> successor  successor takes its place
//
// The pool has as many members as it has places, ready or still starting. A
// member that is due (see recycling) works on until its successor is ready, so
// that capacity never dips; the successor of one that dies takes its place at
// once.
//
// Bounds: at most one successor for each member, and at most 2 x members +
// `spare` children of all kinds. At that bound no successor is started before
// somebody has gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class roster {
public:
  // -- member types -------------------------------------------------------------

  using child_id = uint64_t;

  enum class role : uint8_t { member, successor, leaving };

  struct child {
    role as = role::member;
    bool ready = false;
    /// Of a member its successor, of a successor whom it succeeds; 0: nobody.
    child_id partner = 0;
    bool wants_successor = false;
    size_t finished = 0; ///< jobs
    size_t memory = 0;   ///< resident, KiB, at the last look
    std::string due;     ///< why it is to be replaced; empty: it is not
  };

  /// What one that has gone leaves.
  struct departure {
    child last;
    /// Who has its place now. Without an heir a member leaves a vacancy.
    std::optional<child_id> heir;
  };

  // -- constants ----------------------------------------------------------------

  /// Lets a pool of one replace children that take a moment to end.
  static constexpr size_t spare = 2;

  // -- modifiers ----------------------------------------------------------------

  void add_member(child_id id);

  /// @pre `of` is a member without a successor
  void add_successor(child_id id, child_id of);

  /// The next member to start a successor for, if there may be one more child.
  std::optional<child_id> next_vacancy() const;

  /// If `id` is due and its successor ready, that one becomes a member, and
  /// `id` leaves. @returns the successor
  std::optional<child_id> hand_over(child_id id);

  /// `id` leaves and nobody takes its place. @returns its successor, which is
  /// not needed any more and leaves, too
  std::optional<child_id> retire(child_id id);

  /// `id` is gone. @pre it is known
  departure remove(child_id id);

  // -- properties ---------------------------------------------------------------

  bool contains(child_id id) const {
    return children_.count(id) > 0;
  }

  /// @pre `id` is known
  child& operator[](child_id id) {
    return children_.at(id);
  }

  /// @pre `id` is known
  const child& operator[](child_id id) const {
    return children_.at(id);
  }

  /// Children that have a place.
  size_t members() const noexcept {
    return members_;
  }

  size_t size() const noexcept {
    return children_.size();
  }

private:
  std::map<child_id, child> children_;
  size_t members_ = 0;
};

} // namespace umbel
