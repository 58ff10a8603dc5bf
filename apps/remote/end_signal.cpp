#include "apps/remote/end_signal.hpp"

#include <csignal>

namespace umbel {

namespace {

volatile std::sig_atomic_t ended = 0;

} // namespace

void expect_end_signal() {
  struct sigaction how {};
  how.sa_handler = [](int) { ended = 1; };
  for (auto signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    // Under nohup it stays without effect.
    if (sigaction(signal, &how, &before) == 0 && before.sa_handler == SIG_IGN)
      sigaction(signal, &before, nullptr);
  }
}

bool end_signalled() noexcept {
  return ended != 0;
}

} // namespace umbel
