#include "protocol/task/interruption.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace umbel {

namespace {

// Why not std::atomic::wait or a condition variable: the first has no time
// limit, the second must not be notified from a signal handler.
void futex(std::atomic<uint32_t>& word, int operation, uint32_t value,
           const timespec* timeout) noexcept {
  static_assert(sizeof(word) == sizeof(uint32_t));
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), operation, value,
          timeout, nullptr, 0);
}

} // namespace

void interruption::request(uint64_t job) noexcept {
  auto saved = errno; // a signal handler must leave it as it was
  last_request_.store(job);
  auto expected = idle(job);
  if (word_.compare_exchange_strong(expected, expected | 1))
    futex(word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
  errno = saved;
}

void interruption::sleep_until(
    std::chrono::steady_clock::time_point deadline) noexcept {
  using namespace std::chrono;
  // A longer wait is cut into pieces: the kernel's time has its bounds.
  constexpr nanoseconds longest = hours{1};
  for (;;) {
    auto word = word_.load(std::memory_order_acquire);
    auto left = deadline - steady_clock::now();
    if (word & 1 || left <= nanoseconds::zero())
      return;
    left = std::min<nanoseconds>(left, longest);
    auto whole = duration_cast<seconds>(left);
    timespec timeout{static_cast<time_t>(whole.count()),
                     static_cast<long>((left - whole).count())};
    futex(word_, FUTEX_WAIT_PRIVATE, word, &timeout);
  }
}

} // namespace umbel
