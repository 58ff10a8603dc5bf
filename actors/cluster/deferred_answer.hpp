// An answer that was found out on another thread: it comes back to `control` as
// a message, since answers belong to its thread.
#pragma once

#include "actors/cluster/control.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

namespace umbel {

struct deferred_answer {
  answer_function answer;
  json::value value;
};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::deferred_answer)
