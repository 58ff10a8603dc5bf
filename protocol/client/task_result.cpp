#include "protocol/client/task_result.hpp"

#include "protocol/backend/document.hpp"

namespace umbel {

namespace {

std::string plain(const json::value& x) {
  return x.is_string() ? std::string{x.get_string()} : to_json(x);
}

} // namespace

std::string task_result::reason() const {
  auto* document = result.if_object();
  auto* type = document ? document->if_contains("exc_type") : nullptr;
  if (!type)
    return plain(result);
  auto text = plain(*type);
  auto* message = document->if_contains("exc_message");
  if (!message)
    return text;
  std::string arguments;
  if (auto* list = message->if_array())
    for (auto& x : *list)
      arguments += (arguments.empty() ? "" : ", ") + plain(x);
  else
    arguments = plain(*message);
  return arguments.empty() ? text : text + ": " + arguments;
}

expected<task_result> parse_task_result(serializer how,
                                        std::string_view document) {
  auto object = parse_document(how, document);
  if (!object)
    return object.error();
  auto* status = object->if_contains("status");
  if (!status || !status->is_string())
    return error{errc::malformed, "a result document has no status"};
  task_result result;
  result.status = status->get_string();
  if (auto* value = object->if_contains("result"))
    result.result = *value;
  if (auto* text = object->if_contains("traceback"); text && text->is_string())
    result.traceback = text->get_string();
  if (auto* list = object->if_contains("children"); list && list->is_array())
    result.children = list->get_array();
  for (auto& [name, value] : *object)
    if (name != "status" && name != "result" && name != "traceback"
        && name != "children")
      result.more[name] = value;
  return result;
}

} // namespace umbel
