// Native delayed delivery (contract section 4.1): 28 exchanges and queues, each
// of which holds a message for twice as long as the one below it, or passes it
// on at once. Which it is, is said by the binary digits of the delay in the
// routing key. The names and arguments are Celery's, so that its clients and
// Umbel's workers use one set of queues.
//
// Two things differ. Celery binds a task queue with `#.<name>`, by which a
// delayed message of the queue "a.b" would also reach a queue "b"; here the
// pattern has exactly one `*` for each digit. And the queue is bound directly,
// so that its own exchange may be of any type.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace umbel::amqp {

/// Digits of a delay, so exchanges: up to 2^28 - 1 seconds, eight years.
inline constexpr int delay_levels = 28;

inline constexpr int64_t delay_max = (int64_t{1} << delay_levels) - 1;

/// Where messages come out that have waited.
inline constexpr std::string_view delay_exit = "celery_delayed_delivery";

/// "celery_delayed_27": exchange and queue of one level.
std::string delay_level(int level);

/// "0.0. ... .1.0.1.<queue>" for five seconds.
/// @pre 0 <= seconds <= delay_max
std::string delay_key(int64_t seconds, std::string_view queue);

/// The pattern by which a queue is bound to `delay_exit`.
std::string delay_pattern(std::string_view queue);

/// What a level's queue and the exchange below it are bound with to its
/// exchange: "*.*.1.#" (wait) and "*.*.0.#" (pass on).
std::string level_pattern(int level, bool waits);

/// Exchange and routing key by which a message came, as they would be if it had
/// not been delayed. Points into its arguments.
std::pair<std::string_view, std::string_view>
undelayed(std::string_view exchange, std::string_view routing_key);

} // namespace umbel::amqp
