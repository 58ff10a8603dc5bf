// Stamps (Celery 5.3): marks that a client puts on tasks, to revoke all that have
// one of them at once. A message names its stamps in the header `stamped_headers`;
// the header `stamps` has a value, or a list of them, for each name.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/names.hpp"

#include <string_view>
#include <vector>

namespace umbel {

/// What stands in the place of a task's id where all tasks with a stamp are
/// revoked: "stamp:order=17". Values are compared as text, a string as it is and
/// anything else as JSON: on a command line, 17 is a string.
task_id stamp_id(std::string_view name, const json::value& value);

/// Whether it stands for a stamp.
bool is_stamp(const task_id& x);

/// The stamps of the envelope in `payload`, as `stamp_id` names them; usually
/// none, which is found without parsing. What is no stamp in these headers is
/// passed over: nobody can revoke by it.
std::vector<task_id> read_stamps(std::string_view payload);

} // namespace umbel
