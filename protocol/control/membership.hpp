// Who else is there: built from what workers say of themselves.
//
// A node is a member from its first word until it says that it leaves, or has
// said nothing for two of its own intervals (Celery's rule).
#pragma once

#include "protocol/control/worker_event.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class membership {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// More are not kept: each costs some hundred bytes.
  static constexpr size_t members_max = 10'000;

  /// Silence that a node is allowed, in intervals of its own.
  static constexpr int intervals_max = 2;

  enum class change : uint8_t {
    none,
    joined,
    left,
    replaced, ///< another process under a known name: the first one is gone
  };

  /// Takes in what a node other than this one says of itself.
  change hear(const worker_event& x, time_point now);

  /// Removes those that have been silent for too long. @returns their names
  std::vector<std::string> lose(time_point now);

  /// This node heard nothing for `pause` because it did not run: nobody is lost
  /// for that.
  void excuse(std::chrono::steady_clock::duration pause);

  bool contains(const std::string& name) const {
    return members_.contains(name);
  }

  size_t size() const noexcept {
    return members_.size();
  }

  /// How many members come before `name` in the order of names.
  size_t rank(const std::string& name) const;

private:
  struct member {
    int64_t pid;
    time_point silent_at; ///< when it will have been silent for too long
  };

  std::map<std::string, member> members_;
};

} // namespace umbel
