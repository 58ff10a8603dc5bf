// A coroutine's sleep. A plain function's is umbel::this_thread::sleep_for.
#pragma once

#include "protocol/task/bounded_sleep.hpp"
#include "protocol/task/coroutine.hpp"

#include <chrono>

namespace umbel {

class [[nodiscard]] sleep_wait final : public wait {
public:
  explicit sleep_wait(std::chrono::steady_clock::duration time) : time_(time) {
  }

  void await_resume() const {
    check();
  }

private:
  std::unique_ptr<runtime::operation> begin(runtime& where) override {
    return where.at(where.now() + time_, [this] { finish(); });
  }

  std::chrono::steady_clock::duration time_;
};

/// `co_await umbel::sleep_for(10s)`: lets others run for that long. The soft
/// time limit ends it.
///
/// Without co_await it does nothing at all; the compiler warns, and a task
/// library built with umbel_add_task_library does not compile.
template <class Rep, class Period>
[[nodiscard("write: co_await umbel::sleep_for(...); in a plain function: "
            "umbel::this_thread::sleep_for(...)")]] sleep_wait
sleep_for(std::chrono::duration<Rep, Period> time) {
  return sleep_wait{bounded_sleep(time)};
}

} // namespace umbel
