#include "protocol/task/earlier_result.hpp"

#include "protocol/backend/document.hpp"

namespace umbel {

std::optional<json::value> earlier_result(const task_message& message,
                                          const task_options& task,
                                          const runner_settings& settings,
                                          runtime& where) {
  if (!settings.worker_deduplicate_successful_tasks
      || !message.header.redelivered
      || !task.acks_late.value_or(settings.task_acks_late))
    return std::nullopt;
  auto found = where.ask({question_kind::stored, {message.header.id.str()}});
  if (!found || found->empty() || found->front().empty())
    return std::nullopt;
  auto document = parse_document(settings.result_serializer, found->front());
  auto* status = document ? document->if_contains("status") : nullptr;
  if (!status || *status != "SUCCESS")
    return std::nullopt;
  auto* result = document->if_contains("result");
  return result ? *result : json::value{};
}

} // namespace umbel
