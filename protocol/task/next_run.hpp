// What a retry is: the message of the next run, and the state RETRY.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/exceptions.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/settings.hpp"

#include <string>

namespace umbel {

struct next_run {
  outcome end;        ///< of this run, without a document
  exception_info why; ///< its cause, or celery's Retry
  bool caused = false; ///< whether there is a cause
};

/// @param name how tracebacks name the run: "tasks.add[id]"
next_run retry_of(const task_message& done, const retry& how,
                  const std::string& name);

std::string document_of_retry(const task_message& done, const next_run& x,
                              const runner_settings& settings);

} // namespace umbel
