#include "protocol/client/result_values.hpp"

#include "protocol/task/remote_exception.hpp"

#include <utility>

namespace umbel {

json::value outcome_of(const task_result& x, bool propagate) {
  if (propagate && !x.succeeded())
    throw remote_exception(&x.result);
  return x.result;
}

std::vector<task_result> wait(app_core& core, std::span<const task_id> ids,
                              std::span<const task_id> before,
                              const get_options& how) {
  auto ends = value_of(core.results().wait(ids, before, how.timeout, how.interval));
  if (!ends)
    throw no_result({errc::timeout, "The operation timed out."});
  if (ends->failed_before) {
    if (how.propagate)
      outcome_of(*ends->failed_before, true);
    ends->results.assign(ids.size(), *ends->failed_before);
    return std::move(ends->results);
  }
  for (auto& id : ids)
    core.callbacks().tell(id);
  return std::move(ends->results);
}

std::optional<any_result> parent_of(const std::shared_ptr<app_core>& core,
                                    const lineage& line, size_t before) {
  if (!line || before == 0)
    return std::nullopt;
  auto& node = line->at(before - 1);
  if (node.is_group)
    return group_result{core, node, line, before - 1};
  return async_result{core, node.id, line, before - 1, node.ignored};
}

json::value tuple_of(const std::string& id, const lineage& line, size_t before,
                     json::value children) {
  json::value parent;
  for (size_t i = 0; i < before; ++i) {
    auto tuple = canvas::to_json_value(line->at(i)).as_array();
    tuple[0].as_array()[1] = std::move(parent);
    parent = std::move(tuple);
  }
  return json::array{json::array{json::value(id), std::move(parent)},
                     std::move(children)};
}

} // namespace umbel
