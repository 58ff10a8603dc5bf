// Who waits for a task whose message cannot be read, as far as that can be known.
#pragma once

#include "protocol/message/content.hpp"
#include "protocol/names.hpp"

#include <string>
#include <string_view>

namespace umbel {

struct waiting_client {
  task_id id;           ///< empty: nobody can be told anything
  std::string reply_to; ///< where a client of rpc:// waits; often empty
  bool ignores_result = false;
};

/// Reads what it finds and asks for nothing else: a message with a bad eta, with
/// an unknown content type or without a body still has its id. Of protocol 1, the
/// body must be readable by the `rules`.
waiting_client read_waiting_client(std::string_view payload,
                                   const content_rules& rules = {});

} // namespace umbel
