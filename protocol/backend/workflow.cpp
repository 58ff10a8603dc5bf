#include "protocol/backend/workflow.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace umbel {

namespace {

// -- writing --------------------------------------------------------------------

json::array to_array(const gapped_text& x) {
  return json::array(x.begin(), x.end());
}

using kind = group_record::kind;

constexpr std::pair<kind, std::string_view> kinds[] = {
    {kind::size, "size"}, {kind::results, "results"}, {kind::joined, "joined"}};

std::string_view name_of(kind x) {
  return std::ranges::find(kinds, x, &std::pair<kind, std::string_view>::first)
      ->second;
}

json::array to_array(const std::vector<group_record>& all) {
  json::array to;
  for (auto& x : all)
    to.push_back(json::array{json::value(x.group), json::value(name_of(x.what)),
                             json::value(x.text)});
  return to;
}

json::array to_array(const std::vector<gapped_message>& all) {
  json::array to;
  for (auto& x : all)
    to.push_back(json::array{json::value(x.queue.str()), x.priority,
                             to_array(x.payload), json::value(x.exchange),
                             json::value(x.routing_key)});
  return to;
}

json::array to_array(const std::vector<gapped_record>& all) {
  json::array to;
  for (auto& x : all)
    to.push_back(json::array{json::value(x.id.str()), to_array(x.document),
                             json::value(x.reply_to)});
  return to;
}

json::array to_array(const std::vector<chord_part>& all) {
  json::array to;
  for (auto& x : all)
    to.push_back(json::object{
        {"group", x.group},
        {"index", x.index ? json::value(*x.index) : json::value()},
        {"task", x.task.str()},
        {"member", to_array(x.member)},
        {"reason", x.reason},
        {"format", json::value(name_of(x.format))},
        {"groups", to_array(x.groups)},
        {"body", to_array(x.body)},
        {"unlock", to_array(x.unlock)},
        {"failures", to_array(x.failures)},
        {"errbacks", to_array(x.errbacks)},
        {"outer", to_array(x.outer)}});
  return to;
}

// -- reading: throws what Boost.JSON throws for anything unexpected ---------------

std::string text(const json::value& x) {
  return std::string{x.as_string()};
}

gapped_text gapped(const json::value& x) {
  gapped_text to;
  for (auto& piece : x.as_array())
    to.push_back(text(piece));
  return to;
}

std::vector<group_record> groups(const json::value& x) {
  std::vector<group_record> to;
  for (auto& y : x.as_array()) {
    auto known = std::ranges::find(
        kinds, text(y.at(1)), &std::pair<kind, std::string_view>::second);
    if (known == std::end(kinds))
      throw std::invalid_argument("group");
    to.push_back({text(y.at(0)), known->first, text(y.at(2))});
  }
  return to;
}

std::vector<gapped_message> messages(const json::value& x) {
  std::vector<gapped_message> to;
  for (auto& y : x.as_array())
    to.push_back({queue_name{text(y.at(0))}, y.at(1).to_number<int>(),
                  gapped(y.at(2)), text(y.at(3)), text(y.at(4))});
  return to;
}

std::vector<gapped_record> records(const json::value& x) {
  std::vector<gapped_record> to;
  for (auto& y : x.as_array())
    to.push_back({task_id{text(y.at(0))}, gapped(y.at(1)), text(y.at(2))});
  return to;
}

std::vector<chord_part> parts(const json::value& x, size_t depth) {
  if (depth > chord_depth_max)
    throw std::invalid_argument("too deep");
  std::vector<chord_part> to;
  for (auto& y : x.as_array()) {
    chord_part part;
    part.group = text(y.at("group"));
    if (auto& index = y.at("index"); !index.is_null())
      part.index = index.to_number<int64_t>();
    part.task = task_id{text(y.at("task"))};
    part.member = gapped(y.at("member"));
    part.reason = text(y.at("reason"));
    auto format = parse_serializer(text(y.at("format")));
    if (!format)
      throw std::invalid_argument("format");
    part.format = *format;
    part.groups = groups(y.at("groups"));
    part.body = messages(y.at("body"));
    part.unlock = messages(y.at("unlock"));
    part.failures = records(y.at("failures"));
    part.errbacks = messages(y.at("errbacks"));
    part.outer = parts(y.at("outer"), depth + 1);
    to.push_back(std::move(part));
  }
  return to;
}

} // namespace

std::string to_json_text(const workflow_steps& x) {
  if (x.empty())
    return {};
  json::array results; // may be in MessagePack, so they are no text
  for (auto& y : x.results)
    results.push_back(json::array{json::value(y.id.str()),
                                  json::value(encode_base64(y.document)),
                                  json::value(y.reply_to)});
  std::string to;
  append_json(to, json::object{{"results", std::move(results)},
                               {"groups", to_array(x.groups)},
                               {"parts", to_array(x.parts)}});
  return to;
}

expected<workflow_steps> parse_workflow_steps(std::string_view from) {
  workflow_steps to;
  if (from.empty())
    return to;
  auto parsed = parse_json(from);
  if (!parsed)
    return parsed.error();
  try {
    for (auto& x : parsed->at("results").as_array())
      to.results.push_back({task_id{text(x.at(0))},
                            decode_base64(text(x.at(1))).value(),
                            text(x.at(2))});
    to.groups = groups(parsed->at("groups"));
    to.parts = parts(parsed->at("parts"), 0);
  } catch (const std::exception&) {
    return error{errc::malformed, "the workflow steps of an outcome"};
  }
  return to;
}

} // namespace umbel
