#include "protocol/client/shown_settings.hpp"

#include "protocol/broker/url.hpp"
#include "protocol/client/setting_table.hpp"

namespace umbel {

namespace {

json::value masked(const json::value& x) {
  // What has names shows these.
  if (auto* object = x.if_object()) {
    json::object names;
    for (auto& [name, value] : *object)
      names[name] = "********";
    return names;
  }
  if (!x.is_string() || x.get_string().empty())
    return x;
  auto parsed = parse_url(x.get_string());
  return json::value(parsed ? to_string(*parsed) : "********");
}

} // namespace

json::object shown_settings(const settings& x, bool with_defaults) {
  const settings defaults;
  json::object result;
  for (auto& row : setting_table()) {
    if (!row.implemented())
      continue;
    auto value = row.get(x);
    auto is_url = row.secret && value.is_string();
    if (with_defaults || is_url || value != row.get(defaults))
      result[row.name] = row.secret ? masked(value) : std::move(value);
  }
  return result;
}

} // namespace umbel
