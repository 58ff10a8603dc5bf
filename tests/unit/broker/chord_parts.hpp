// Parts of the chord "g", whose body and errback go to `queue`.
#pragma once

#include "protocol/backend/workflow.hpp"

#include <string>

namespace umbel::test {

inline chord_part chord_part_for(const std::string& queue, int index,
                                 const std::string& result,
                                 const std::string& state) {
  chord_part to;
  to.group = "g";
  to.index = index;
  to.task = task_id{"t" + std::to_string(index)};
  to.member = {"[1, \"" + to.task.str() + "\", \"" + state + "\", " + result
               + ']'};
  to.body = {{queue_name{queue}, 0, {R"({"body": "[)", R"(]"})"}}};
  to.failures = {{task_id{"body"}, {R"({"status": "FAILURE", "why": ")", "\"}"},
                  ""}};
  to.errbacks = {{queue_name{queue}, 0, {"errback"}}};
  return to;
}

} // namespace umbel::test
