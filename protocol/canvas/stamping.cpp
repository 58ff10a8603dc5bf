#include "protocol/canvas/stamping.hpp"

#include <algorithm>
#include <utility>

namespace umbel::canvas {

namespace {

constexpr auto names_key = "stamped_headers";

json::array as_list(const json::value& x) {
  auto* list = x.if_array();
  return list ? *list : json::array{x};
}

json::value joined(const json::value& x, const json::value& y) {
  auto to = as_list(x);
  for (auto& one : as_list(y))
    to.push_back(one);
  return to;
}

void put(signature& x, const json::object& stamps, bool append) {
  if (stamps.empty())
    return;
  auto names = x.option_list(names_key);
  for (auto& [name, value] : stamps) {
    json::value text(json::string{name});
    auto known = std::ranges::find(names, text) != names.end();
    auto& place = x.options[name];
    place = known && append ? joined(place, value) : value;
    if (!known)
      names.push_back(std::move(text));
  }
  x.options[names_key] = json::array(names.begin(), names.end());
}

} // namespace

void stamp(signature& x, const stamper& visitor, bool append) {
  for_each_task(x, [&](signature& task) { put(task, visitor(task), append); });
}

void stamp(signature& x, const json::object& stamps, bool append) {
  stamp(x, [&](const signature&) { return stamps; }, append);
}

json::object stamps_of(const signature& x) {
  json::object to;
  for (auto& name : x.option_list(names_key))
    if (name.is_string())
      if (auto* value = x.find_option(name.get_string()))
        to[name.get_string()] = *value;
  return to;
}

} // namespace umbel::canvas
