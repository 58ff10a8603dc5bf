#include "protocol/canvas/results.hpp"

#include <iterator>
#include <utility>

namespace umbel::canvas {

namespace {

result_node group_of(std::string id, const std::vector<signature>& tasks) {
  result_node to{std::move(id), true, {}, {}};
  to.members.reserve(tasks.size());
  for (auto& task : tasks)
    to.members.push_back(results_of(task));
  return to;
}

/// `x` follows from what `line` has.
void append(std::vector<result_node>& line, result_node x) {
  std::ranges::move(x.before, std::back_inserter(line));
  x.before.clear();
  line.push_back(std::move(x));
}

expected<result_node> parse_node(const json::value& x, size_t depth) {
  const error malformed{errc::malformed, "no result tuple"};
  auto* tuple = x.if_array();
  auto* head = tuple && tuple->size() == 2 ? tuple->at(0).if_array() : nullptr;
  if (!head || head->empty() || !head->at(0).is_string() || depth > depth_max)
    return malformed;
  result_node to{std::string{head->at(0).get_string()}, false, {}, {}};
  if (head->size() > 1 && head->at(1).is_array())
    if (auto parent = parse_node(head->at(1), depth + 1))
      append(to.before, std::move(*parent));
  auto* members = tuple->at(1).if_array();
  if (!members)
    return tuple->at(1).is_null() ? expected<result_node>{std::move(to)}
                                  : malformed;
  to.is_group = true;
  for (auto& member : *members) {
    auto node = parse_node(member, depth + 1);
    if (!node)
      return node;
    to.members.push_back(std::move(*node));
  }
  return to;
}

} // namespace

result_node results_of(const signature& frozen) {
  switch (frozen.kind) {
    case kind::group:
      return group_of(frozen.option("task_id"), frozen.tasks());
    case kind::chain: {
      std::vector<result_node> line;
      for (auto& step : frozen.tasks())
        append(line, results_of(step));
      if (line.empty())
        return {frozen.option("task_id"), false, {}, {}};
      auto to = std::move(line.back());
      line.pop_back();
      to.before = std::move(line);
      return to;
    }
    case kind::chord: {
      auto to = results_of(frozen.body());
      auto header = group_of(header_id(frozen), frozen.tasks());
      to.before.insert(to.before.begin(), std::move(header));
      return to;
    }
    default: {
      auto* ignored = frozen.find_option("ignore_result");
      return {frozen.option("task_id"), false, {}, {},
              ignored && ignored->is_bool() && ignored->get_bool()};
    }
  }
}

json::value to_json_value(const result_node& x) {
  json::value members;
  if (x.is_group) {
    json::array all;
    for (auto& member : x.members)
      all.push_back(to_json_value(member));
    members = std::move(all);
  }
  return json::array{json::array{json::value(x.id), nullptr},
                     std::move(members)};
}

expected<result_node> parse_result_node(const json::value& x) {
  return parse_node(x, 0);
}

} // namespace umbel::canvas
