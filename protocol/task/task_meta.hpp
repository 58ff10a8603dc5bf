// The part of a state document that follows from the message.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/settings.hpp"

#include <string>

namespace umbel {

/// A document with everything but the result: id, group, parent, the time if
/// `status` is final, and with `result_extended` name, arguments and so on.
meta make_meta(const task_message& message, const runner_settings& settings,
               std::string status);

/// Member `key` of `delivery_info`, empty if there is none.
std::string delivery_info(const task_message& message, const char* key);

} // namespace umbel
