// What `umbel multi` does to nodes: starts their workers, signals them, waits for
// their end, and tells it in Celery's words.
#pragma once

#include "apps/multi/node.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace umbel::multi {

/// How much is said.
struct manners {
  bool splash = true;
  bool quiet = false;
  bool verbose = false;
  bool color = false;
};

class cluster {
public:
  cluster(std::vector<node> nodes, manners how)
      : nodes_(std::move(nodes)), manners_(how) {
  }

  /// Starts each worker and waits until it is ready or has failed.
  /// @returns whether all are ready
  bool start();

  /// Sends a signal to each worker that there is.
  void stop(int signal);

  /// Sends it, and waits until they have ended.
  void stop_and_wait(int signal);

  /// Stops each worker as above, and starts it when it has ended, or if there
  /// was none. @returns whether all are ready
  bool restart(int signal);

  /// SIGKILL.
  void kill();

private:
  struct running {
    const node* which;
    pid_t pid;
  };

  bool start(const node& x);
  std::optional<pid_t> pid_of(const node& x) const;

  /// Signals those that run. @returns them; the others are passed to `on_down`.
  template <class F>
  std::vector<running> signal_all(int signal, F on_down);

  /// Waits for their end and passes each to `on_down`.
  template <class F>
  void wait_for(std::vector<running> waiting, F on_down);

  void say(const std::string& text) const;
  void say_down(const node& x) const;
  std::string colored(const char* color, const std::string& text) const;

  std::vector<node> nodes_;
  manners manners_;
};

} // namespace umbel::multi
