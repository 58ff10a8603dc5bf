#include "actors/pool/runtime_thread.hpp"

#include <csignal>

namespace umbel {

runtime_thread::runtime_thread(task_caller& caller) : runtime_(&caller) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread{[this] { runtime_.run(); }};
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

runtime_thread::~runtime_thread() {
  runtime_.post([this] { runtime_.stop(); });
  thread_.join();
}

} // namespace umbel
