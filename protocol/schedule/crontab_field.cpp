#include "protocol/schedule/crontab_field.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <span>
#include <string>

namespace umbel::schedule {

namespace {

constexpr std::string_view weekdays[]
  = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

constexpr std::string_view months[]
  = {"jan", "feb", "mar", "apr", "may", "jun",
     "jul", "aug", "sep", "oct", "nov", "dec"};

std::string_view trimmed(std::string_view x) {
  auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!x.empty() && is_space(x.front()))
    x.remove_prefix(1);
  while (!x.empty() && is_space(x.back()))
    x.remove_suffix(1);
  return x;
}

std::optional<int> to_number(std::string_view x) {
  int result = 0;
  auto end = x.data() + x.size();
  auto [ptr, ec] = std::from_chars(x.data(), end, result);
  if (ec != std::errc{} || ptr != end)
    return std::nullopt;
  return result;
}

std::optional<int> to_name(const field_kind& kind, std::string_view x) {
  std::string key{x.substr(0, 3)};
  std::ranges::transform(key, key.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  std::span<const std::string_view> names;
  if (kind.name == weekdays_field.name)
    names = weekdays;
  else if (kind.name == months_field.name)
    names = months;
  auto found = std::ranges::find(names, key);
  if (found == names.end())
    return std::nullopt;
  return kind.min + static_cast<int>(found - names.begin());
}

/// The parser of one part, for its errors.
class part_parser {
public:
  part_parser(const field_kind& kind, std::string_view part)
    : kind_(kind), part_(part) {
  }

  expected<void> add_to(number_set& out) const {
    auto slash = part_.find('/');
    auto span = part_.substr(0, slash);
    auto dash = span.find('-');
    int first = kind_.min;
    int last = kind_.max;
    if (span != "*") {
      if (slash != part_.npos && dash == span.npos)
        return wrong("a step needs '*' or a range before it");
      auto number = read(span.substr(0, dash));
      if (!number)
        return number.error();
      first = last = *number;
      if (dash != span.npos) {
        number = read(span.substr(dash + 1));
        if (!number)
          return number.error();
        last = *number;
      }
    }
    int step = 1;
    if (slash != part_.npos) {
      auto number = to_number(part_.substr(slash + 1));
      if (!number || *number < 1)
        return wrong("the step is not a number from 1 up");
      step = *number;
    }
    // A range that wraps goes on at the smallest number, in step.
    auto size = kind_.max - kind_.min + 1;
    auto count = (last - first + size) % size + 1;
    for (int i = 0; i < count; i += std::min(step, size))
      out.add(kind_.min + (first - kind_.min + i) % size);
    return {};
  }

private:
  error wrong(std::string_view why) const {
    return {errc::invalid_setting,
            fmt::format("crontab {} '{}': {}", kind_.name, part_, why)};
  }

  expected<int> read(std::string_view text) const {
    auto result = to_number(text);
    if (!result)
      result = to_name(kind_, text);
    if (!result)
      return wrong(fmt::format("'{}' is not a number{}", text,
                               kind_.name == weekdays_field.name
                                 ? " or a day's name"
                               : kind_.name == months_field.name
                                 ? " or a month's name"
                                 : ""));
    if (*result < kind_.min || *result > kind_.max)
      return wrong(fmt::format("{} is not between {} and {}", *result,
                               kind_.min, kind_.max));
    return *result;
  }

  const field_kind& kind_;
  std::string_view part_;
};

} // namespace

expected<number_set> parse_field(const field_kind& kind,
                                 std::string_view text) {
  number_set result;
  for (;;) {
    auto comma = text.find(',');
    part_parser part{kind, trimmed(text.substr(0, comma))};
    if (auto done = part.add_to(result); !done)
      return done.error();
    if (comma == text.npos)
      return result;
    text.remove_prefix(comma + 1);
  }
}

expected<number_set> parse_field(const field_kind& kind, const json::value& x) {
  if (x.is_string())
    return parse_field(kind, std::string_view{x.get_string()});
  if (x.is_int64())
    return parse_field(kind, std::string_view{std::to_string(x.get_int64())});
  number_set result;
  auto bad = error{errc::invalid_setting,
                   fmt::format("crontab {}: expected a number, a text such as "
                               "'*/5' or a list of these",
                               kind.name)};
  if (!x.is_array() || x.get_array().empty())
    return bad;
  for (auto& item : x.get_array()) {
    if (item.is_array())
      return bad;
    auto more = parse_field(kind, item);
    if (!more)
      return more.error();
    for (auto i = more->from(0); i >= 0; i = more->from(i + 1))
      result.add(i);
  }
  return result;
}

} // namespace umbel::schedule
