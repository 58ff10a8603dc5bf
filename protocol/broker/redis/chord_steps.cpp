#include "protocol/broker/redis/chord_steps.hpp"

#include "protocol/message/json.hpp"

#include <fmt/format.h>

#include <iterator>

namespace umbel::redis {

std::string begin_of_member(const chord_part& x) {
  std::string to = "[1, ";
  append_json(to, std::string_view{x.task.str()});
  return to + ", ";
}

namespace {

json::array to_array(const gapped_text& x) {
  return json::array(x.begin(), x.end());
}

/// Binary text within JSON.
std::string to_hex(std::string_view bytes) {
  std::string to;
  to.reserve(2 * bytes.size());
  for (auto c : bytes)
    fmt::format_to(std::back_inserter(to), "{:02x}", static_cast<uint8_t>(c));
  return to;
}

json::object to_document(const chord_keys& names, const chord_part& x) {
  auto messages = [&](const std::vector<gapped_message>& all) {
    json::array to;
    for (auto& y : all)
      for (auto& place : names.places(y))
        to.push_back(json::array{json::value(place), to_array(y.payload)});
    return to;
  };
  json::array values;
  for (auto& y : x.groups)
    values.push_back(
        json::array{json::value(names.key_of(y)), json::value(y.text)});
  json::array failures;
  for (auto& y : x.failures)
    failures.push_back(json::array{json::value(names.results + y.id.str()),
                                   to_array(y.document)});
  json::array outer;
  for (auto& y : x.outer)
    outer.push_back(json::array{json::value(names.base_of(y)),
                                to_document(names, y)});
  std::string ends;
  json::object all{{"v", std::move(values)},
                   {"p", messages(x.body)},
                   {"f", std::move(failures)},
                   {"e", messages(x.errbacks)},
                   {"o", std::move(outer)}};
  if (!x.reason.empty())
    all["r"] = x.reason;
  if (!x.unlock.empty())
    all["u"] = messages(x.unlock);
  append_json(ends, all);
  json::object to{{"m", to_array(x.member)},
                  {"b", begin_of_member(x)},
                  {"x", std::move(ends)}};
  if (x.index)
    to["i"] = *x.index;
  if (x.format == serializer::json)
    return to;
  to["s"] = name_of(x.format);
  to["k"] = x.task.str();
  if (x.member.size() == 1)
    if (auto member = parse_json(x.member.front()))
      to["h"] = to_hex(serialize(x.format, *member));
  return to;
}

} // namespace

std::string chord_keys::to_json_text(const chord_part& x) const {
  std::string to;
  append_json(to, to_document(*this, x));
  return to;
}

} // namespace umbel::redis
