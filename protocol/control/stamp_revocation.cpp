#include "protocol/control/stamp_revocation.hpp"

#include "protocol/control/arguments.hpp"
#include "protocol/message/stamps.hpp"

#include <fmt/format.h>

namespace umbel {

using namespace remote;

namespace {

expected<json::object> read_stamped_headers(const json::object& arguments) {
  if (auto given = find(arguments, "headers");
      given != nullptr && given->is_object())
    return given->get_object();
  auto words = read_texts(arguments, "headers");
  if (!words)
    return words.error();
  json::object result;
  for (auto& word : *words) {
    auto equals = word.find('=');
    if (equals == word.npos || equals == 0)
      return malformed(fmt::format("headers: {} is not NAME=VALUE",
                                   python_repr(json::value(word), 40)));
    auto value = json::value(word.substr(equals + 1));
    auto [known, is_first] = result.emplace(word.substr(0, equals), value);
    if (is_first)
      continue;
    if (!known->value().is_array())
      known->value() = json::array(1, json::value(known->value()));
    known->value().get_array().push_back(std::move(value));
  }
  return result;
}

} // namespace

expected<stamp_revocation>
parse_stamp_revocation(const json::object& arguments) {
  auto headers = read_stamped_headers(arguments);
  if (!headers)
    return headers.error();
  stamp_revocation result;
  json::array ids;
  for (auto& [name, value] : *headers) {
    auto add = [&, name = std::string{name}](const json::value& x) {
      auto id = stamp_id(name, x);
      ids.emplace_back(id.str());
      result.stamps.push_back({std::move(id), name, x});
    };
    if (auto list = value.if_array())
      for (auto& one : *list)
        add(one);
    else
      add(value);
  }
  if (ids.empty())
    return malformed("headers names no stamp");
  control_request by_ids;
  by_ids.method = "revoke";
  by_ids.arguments["task_id"] = std::move(ids);
  for (auto key : {"terminate", "signal"})
    if (auto given = find(arguments, key))
      by_ids.arguments[key] = *given;
  auto request = parse_revoke_request(by_ids);
  if (!request)
    return request.error();
  result.headers = std::move(*headers);
  result.request = std::move(*request);
  return result;
}

} // namespace umbel
