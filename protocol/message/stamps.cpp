#include "protocol/message/stamps.hpp"

#include "protocol/message/envelope_view.hpp"

namespace umbel {

namespace {

constexpr std::string_view prefix = "stamp:";

/// Celery 5.3's clients say "stamped_headers": null with all that have none.
bool may_have_stamps(std::string_view payload) {
  constexpr std::string_view names = "\"stamped_headers\"";
  auto at = payload.find(names);
  if (at == payload.npos)
    return false;
  auto value = payload.find_first_not_of(" \t\r\n:", at + names.size());
  return value == payload.npos || payload[value] != 'n';
}

void add(std::vector<task_id>& to, const json::object& headers) {
  auto names = headers.if_contains("stamped_headers");
  auto stamps = headers.if_contains("stamps");
  if (names == nullptr || !names->is_array() || stamps == nullptr
      || !stamps->is_object())
    return;
  for (auto& name : names->get_array()) {
    auto text = name.if_string();
    auto value = text ? stamps->get_object().if_contains(*text) : nullptr;
    if (value == nullptr)
      continue;
    if (auto list = value->if_array()) {
      for (auto& one : *list)
        to.push_back(stamp_id(*text, one));
    } else {
      to.push_back(stamp_id(*text, *value));
    }
  }
}

} // namespace

task_id stamp_id(std::string_view name, const json::value& value) {
  std::string result{prefix};
  result.append(name).append("=");
  if (auto text = value.if_string())
    result.append(text->data(), text->size());
  else
    result += to_json(value);
  return task_id{std::move(result)};
}

bool is_stamp(const task_id& x) {
  return x.str().starts_with(prefix);
}

std::vector<task_id> read_stamps(std::string_view payload) {
  std::vector<task_id> result;
  if (!may_have_stamps(payload))
    return result;
  auto document = parse_json(payload);
  if (!document)
    return result;
  if (auto view = view_envelope(*document))
    add(result, *view->headers);
  return result;
}

} // namespace umbel
