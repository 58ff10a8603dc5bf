// How long to wait before an automatic retry: as Celery's
// get_exponential_backoff_interval.
#pragma once

#include <chrono>
#include <cstdint>

namespace umbel {

/// factor * 2^retries, at most `maximum`, never negative.
std::chrono::seconds backoff_interval(std::chrono::seconds factor,
                                      int64_t retries,
                                      std::chrono::seconds maximum);

/// Full jitter: a whole number of seconds from 0 to `interval`, chosen by
/// `random`, which is evenly distributed over all 64 bits.
std::chrono::seconds full_jitter(std::chrono::seconds interval,
                                 uint64_t random);

} // namespace umbel
