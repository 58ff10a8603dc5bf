// One write to a result store.
#pragma once

#include "protocol/names.hpp"

#include <string>

namespace umbel {

/// A task's state and result as they are stored (contract section 6.1).
struct result_record {
  task_id id;
  std::string document; ///< the meta document as JSON text, status first
};

} // namespace umbel
