#include "apps/remote/end_signal.hpp"

#include <csignal>

namespace umbel {

namespace {

volatile std::sig_atomic_t ended = 0;

} // namespace

void expect_end_signal(std::initializer_list<int> signals, int flags) {
  struct sigaction how {};
  how.sa_handler = [](int) { ended = 1; };
  how.sa_flags = flags;
  for (auto signal : signals)
    sigaction(signal, &how, nullptr);
}

bool end_signalled() noexcept {
  return ended != 0;
}

} // namespace umbel
