#include "protocol/broker/memory/binding.hpp"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace umbel {

bool binding::matches(std::string_view routing_key) const {
  return topic ? topic_matches(key, routing_key) : key == routing_key;
}

bool topic_matches(std::string_view pattern, std::string_view routing_key) {
  const auto size = routing_key.size();
  // ends[i]: the pattern so far can stand for the first i characters.
  std::vector<bool> ends(size + 1);
  ends[0] = true;
  // Applies one piece of the pattern: `follows(i, j)` says whether it can stand
  // for the characters from i to j.
  auto apply = [&](auto follows) {
    std::vector<bool> next(size + 1);
    for (size_t i = 0; i <= size; ++i)
      for (size_t j = i; ends[i] && j <= size; ++j)
        next[j] = next[j] || follows(i, j);
    ends = std::move(next);
  };
  auto text = [&](std::string_view x) {
    apply(
        [&](size_t i, size_t j) { return routing_key.substr(i, j - i) == x; });
  };
  for (;;) {
    auto dot = pattern.find('.');
    auto word = pattern.substr(0, dot);
    if (word == "#")
      apply([](size_t, size_t) { return true; });
    else if (word == "*")
      apply([&](size_t i, size_t j) {
        return j > i && routing_key[j - 1] != '.';
      });
    else
      text(word);
    if (dot == std::string_view::npos)
      return ends[size];
    text(".");
    pattern.remove_prefix(dot + 1);
  }
}

std::string topic_regex(std::string_view pattern) {
  std::string result{"^"};
  for (;;) {
    auto dot = pattern.find('.');
    auto word = pattern.substr(0, dot);
    if (word == "*")
      result += R"(.*?[^\.])";
    else if (word == "#")
      result += ".*?";
    else
      for (auto c : word) {
        auto as_it_is = std::isalnum(static_cast<unsigned char>(c))
                        || static_cast<unsigned char>(c) > 127 || c == '#'
                        || c == '*';
        (result += as_it_is ? "" : "\\") += c;
      }
    if (dot == pattern.npos)
      return result += '$';
    result += R"(\.)";
    pattern.remove_prefix(dot + 1);
  }
}

} // namespace umbel
