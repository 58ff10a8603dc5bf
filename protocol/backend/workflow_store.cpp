#include "protocol/backend/workflow_store.hpp"

namespace umbel {

workflow_store* workflows_of(result_store* x) {
  return dynamic_cast<workflow_store*>(x);
}

expected<std::vector<std::optional<std::string>>>
fetch_all(result_store& from, std::span<const task_id> ids) {
  if (auto* many = workflows_of(&from))
    return many->fetch_all(ids);
  std::vector<std::optional<std::string>> to;
  for (auto& id : ids) {
    auto document = from.fetch(id);
    if (!document)
      return document.error();
    to.push_back(std::move(*document));
  }
  return to;
}

} // namespace umbel
