#include "actors/pool/loop_thread.hpp"

#include <csignal>

namespace umbel {

loop_thread::loop_thread() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread{[this] { loop_.run(); }};
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

loop_thread::~loop_thread() {
  loop_.post([this] { loop_.stop(); });
  thread_.join();
}

} // namespace umbel
