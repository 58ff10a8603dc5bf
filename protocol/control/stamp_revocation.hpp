// The command `revoke_by_stamped_headers`, Celery 5.3's.
#pragma once

#include "protocol/control/control_request.hpp"

namespace umbel {

struct stamp_revocation {
  struct stamp {
    task_id id; ///< stands for all tasks that have it (message/stamps.hpp)
    std::string name;
    json::value value;
  };

  json::object headers; ///< as Celery's workers say them: {name: value or list}
  std::vector<stamp> stamps;
  revoke_request request; ///< of these stamps' ids
};

/// Reads `headers`, an object of a value or a list for each name or a list of
/// "NAME=VALUE", and `terminate` and `signal` as `parse_revoke_request`.
/// @returns `malformed` naming the argument that is wrong
expected<stamp_revocation>
parse_stamp_revocation(const json::object& arguments);

} // namespace umbel
