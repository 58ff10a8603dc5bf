#include "protocol/broker/redis/binding.hpp"

#include "protocol/broker/memory/binding.hpp"

#include <algorithm>

namespace umbel::redis {

namespace {

// From the places in `text` that are reached already, those after one word.
void advance(std::vector<bool>& reached, std::string_view text,
             std::string_view word) {
  std::vector<bool> next(reached.size());
  if (word == "#" || word == "*") {
    bool before = false; // some earlier place is reached
    for (size_t i = 0; i < reached.size(); ++i) {
      if (word == "#")
        next[i] = before || reached[i];
      else
        next[i] = before && text[i - 1] != '.';
      before = before || reached[i];
    }
  } else {
    for (size_t i = 0; i + word.size() < reached.size(); ++i)
      if (reached[i] && text.substr(i, word.size()) == word)
        next[i + word.size()] = true;
  }
  reached = std::move(next);
}

} // namespace

std::vector<std::string> binding_members(const broker_options::binding& x,
                                         std::string_view queue,
                                         std::string_view sep) {
  auto member = [&](const std::string& key, const std::string& pattern) {
    auto result = key;
    (((result += sep) += pattern) += sep) += queue;
    return result;
  };
  if (x.exchange_type == "topic")
    return {member(x.routing_key, topic_regex(x.routing_key))};
  if (x.exchange_type == "fanout")
    return {member("", ""), member(x.routing_key, "")};
  return {member(x.routing_key, "")};
}

bool topic_matches(std::string_view pattern, std::string_view routing_key) {
  std::vector<bool> reached(routing_key.size() + 1);
  reached[0] = true;
  for (;;) {
    auto dot = pattern.find('.');
    advance(reached, routing_key, pattern.substr(0, dot));
    if (dot == std::string_view::npos)
      return reached.back();
    advance(reached, routing_key, ".");
    pattern.remove_prefix(dot + 1);
  }
}

std::vector<std::string> route(std::span<const std::string_view> members,
                               std::string_view sep,
                               std::string_view routing_key) {
  std::vector<std::string> result;
  for (auto member : members) {
    auto first = member.find(sep);
    if (first == std::string_view::npos)
      continue;
    auto second = member.find(sep, first + sep.size());
    if (second == std::string_view::npos)
      continue;
    auto key = member.substr(0, first);
    auto is_topic = second > first + sep.size();
    std::string queue{member.substr(second + sep.size())};
    if (is_topic ? topic_matches(key, routing_key) : key == routing_key)
      if (!queue.empty()
          && std::find(result.begin(), result.end(), queue) == result.end())
        result.push_back(std::move(queue));
  }
  std::sort(result.begin(), result.end());
  return result;
}

} // namespace umbel::redis
