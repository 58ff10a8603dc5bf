// One write to a result store.
#pragma once

#include "protocol/names.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// A task's state and result as they are stored (contract section 6.1).
struct result_record {
  task_id id;
  std::string document; ///< the meta document in `result_serializer`, status first
  /// The queue of whoever has sent the task, if any: for `rpc://`.
  std::string reply_to = {};
};

/// Whether the document of any peer, in any serializer, says SUCCESS. Looks for the
/// key alone, so that nobody needs to parse a result of megabytes for this question.
bool is_success(std::string_view document);

} // namespace umbel
