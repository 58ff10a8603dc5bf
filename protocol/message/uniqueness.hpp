// Tasks that shall not wait or run twice, by headers of their messages.
//
//   unique_key    of the tasks of one name with the same key there is one at a time
//   unique_for    seconds after which the key is free again, whatever became of the
//                 task; 3600 if nothing is said
//   unique_until  "start": the key is free when the task begins; "done", or
//                 nothing: when it has ended
//   publish_once  seconds for which the same task id is published once
//
// Whoever publishes with them takes the key in the same step; a worker takes it
// when it has reserved the task, if nobody has, and gives it back with its end.
#pragma once

#include "protocol/message/json.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace umbel {

inline constexpr std::string_view unique_key_header = "unique_key";
inline constexpr std::string_view unique_for_header = "unique_for";
inline constexpr std::string_view unique_until_header = "unique_until";
inline constexpr std::string_view publish_once_header = "publish_once";

struct unique_terms {
  std::string key; ///< with the task's name; empty: not unique
  std::string id;  ///< of the task
  std::chrono::milliseconds held_for{3'600'000};
  bool until_start = false;
  std::chrono::milliseconds once{0}; ///< 0: may be published again
};

/// What a message's headers say; nothing if they say nothing. What is not of the
/// right type says nothing either: it is no reason to refuse a task.
std::optional<unique_terms> read_unique_terms(const json::object& headers);

/// The same of an envelope as JSON text. Cheap for those that say nothing.
std::optional<unique_terms> read_unique_terms(std::string_view payload);

/// How the second of two is refused.
std::string describe_duplicate(const unique_terms& x, std::string_view holder);

} // namespace umbel
