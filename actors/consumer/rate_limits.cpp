#include "actors/consumer/rate_limits.hpp"

namespace umbel {

task_rate rate_of(const task_options& task, const settings& x) {
  task_rate result;
  if (x.worker_disable_rate_limits)
    return result;
  auto text = task.rate_limit;
  result.scope = task.rate_limit_scope;
  result.key = task.rate_limit_key;
  for (auto name : {std::string{"*"}, task.name}) {
    auto i = x.task_annotations.find(name);
    if (i == x.task_annotations.end())
      continue;
    auto& said = i->second;
    if (said.rate_limit)
      text = said.rate_limit->text;
    if (said.rate_limit_scope)
      result.scope = *said.rate_limit_scope == "cluster" ? rate_scope::cluster
                                                         : rate_scope::worker;
    if (said.rate_limit_key)
      result.key = *said.rate_limit_key;
  }
  if (!text && x.task_default_rate_limit)
    text = x.task_default_rate_limit->text;
  // Checked where options and settings were read.
  if (text)
    if (auto parsed = parse_rate(*text))
      result.rate = *parsed;
  return result;
}

std::string rate_limits::account(const request& r, const task_rate& x) {
  if (x.key.empty())
    return r.header.task;
  return r.header.task + ':' + read_header_text(*r.payload, x.key);
}

} // namespace umbel
