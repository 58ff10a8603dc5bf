// Celery's election (contract section 9): all workers are asked to do something
// that one of them shall do.
//
// Each that is asked says worker-elect with its logical time; each that hears
// one says worker-elect-ack. The winner is the one with the lowest time, of
// equal ones the first by "host.pid". It is known at the acknowledgement whose
// number is that of the other workers alive: all hear the same events in the
// same order, hence come to the same end.
//
// Where Celery's workers end with an IndexError, when they are alone, the only
// worker wins at its own acknowledgement.
#pragma once

#include "protocol/control/worker_event.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

namespace umbel {

class elections {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Elections at a time; the oldest are given up.
  static constexpr size_t open_max = 1'000;

  /// How long one may take: by then somebody that was counted on is gone.
  static constexpr auto patience = std::chrono::seconds{60};

  struct outcome {
    std::string id;
    std::string winner; ///< "host.pid"
    std::string topic;
    json::value action; ///< as the winner has heard it
  };

  /// This node was asked, and takes part.
  void begin(const std::string& id, time_point now);

  /// A candidate was heard of, this node or another.
  void on_elect(const worker_event& x, time_point now);

  /// An acknowledgement was heard.
  /// @param others how many other workers are alive
  /// @returns the winner if this one ends it
  std::optional<outcome> on_ack(const worker_event& x, size_t others);

  /// Candidates that this node has heard of.
  size_t candidates(const std::string& id) const;

  size_t open() const noexcept {
    return open_.size();
  }

private:
  struct candidate {
    uint64_t clock;
    std::string who;
    std::string topic;
    json::value action;

    bool before(const candidate& x) const {
      return clock != x.clock ? clock < x.clock : who < x.who;
    }
  };

  struct election {
    time_point begun;
    bool asked = false; ///< this node has been
    size_t acks = 0;
    size_t candidates = 0;
    std::optional<candidate> best;
  };

  election& at(const std::string& id, time_point now);

  std::unordered_map<std::string, election> open_;
};

} // namespace umbel
