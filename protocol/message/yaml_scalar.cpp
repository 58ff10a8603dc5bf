#include "protocol/message/yaml_scalar.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/tags.hpp"
#include "protocol/message/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace umbel {

namespace {

using scalar = std::optional<json::value>;

bool is_one_of(std::string_view x, std::initializer_list<const char*> all) {
  return std::ranges::any_of(all, [&](auto y) { return x == y; });
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

scalar read_null(std::string_view x) {
  if (is_one_of(x, {"", "~", "null", "Null", "NULL"}))
    return json::value{};
  return std::nullopt;
}

scalar read_bool(std::string_view x) {
  if (is_one_of(x, {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On",
                    "ON"}))
    return true;
  if (is_one_of(x, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off",
                    "OFF"}))
    return false;
  return std::nullopt;
}

/// Takes a sign off. @returns whether it was a minus
bool take_sign(std::string_view& x) {
  bool negative = x.starts_with('-');
  if (negative || x.starts_with('+'))
    x.remove_prefix(1);
  return negative;
}

/// As parse_json has it: beyond 64 bits it is a double.
json::value make_integer(const std::string& digits, int base, bool negative) {
  uint64_t n = 0;
  auto end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, n, base).ec
      == std::errc::result_out_of_range) {
    double x = 0;
    for (auto c : digits)
      x = x * base
          + (is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    return negative ? -x : x;
  }
  if (negative)
    return n <= uint64_t{1} << 63 ? json::value(static_cast<int64_t>(0 - n))
                                  : json::value(-static_cast<double>(n));
  return n <= INT64_MAX ? json::value(static_cast<int64_t>(n)) : json::value(n);
}

/// 1:30:00, in base 60.
scalar read_sexagesimal(std::string_view x, bool negative) {
  if (x.empty() || x[0] < '1' || x[0] > '9')
    return std::nullopt;
  double total = 0;
  for (bool first = true;; first = false) {
    auto colon = x.find(':');
    auto part = x.substr(0, colon);
    int n = 0;
    auto end = part.data() + part.size();
    if (auto [stop, failed] = std::from_chars(part.data(), end, n);
        failed != std::errc{} || stop != end || n < 0 || (!first && n > 59)
        || !is_digit(part[0]))
      return std::nullopt;
    total = total * 60 + n;
    if (colon == x.npos)
      break;
    x.remove_prefix(colon + 1);
  }
  if (total > 9e15)
    return std::nullopt;
  auto n = static_cast<int64_t>(total);
  return negative ? -n : n;
}

scalar read_integer(std::string_view x) {
  auto negative = take_sign(x);
  if (x.empty() || !is_digit(x[0]))
    return std::nullopt;
  if (x.find(':') != x.npos)
    return read_sexagesimal(x, negative);
  int base = 10;
  if (x.starts_with("0b") || x.starts_with("0x")) {
    base = x[1] == 'b' ? 2 : 16;
    x.remove_prefix(2);
  } else if (x.size() > 1 && x[0] == '0') {
    base = 8;
    x.remove_prefix(1);
  }
  std::string digits;
  for (auto c : x) {
    if (c == '_')
      continue;
    auto digit = is_digit(c)                        ? c - '0'
                 : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : 16;
    if (digit >= base)
      return std::nullopt;
    digits += c;
  }
  if (digits.empty())
    return std::nullopt;
  return make_integer(digits, base, negative);
}

scalar read_float(std::string_view x) {
  constexpr auto limits = std::numeric_limits<double>{};
  if (is_one_of(x, {".nan", ".NaN", ".NAN"}))
    return limits.quiet_NaN();
  auto negative = take_sign(x);
  if (is_one_of(x, {".inf", ".Inf", ".INF"}))
    return negative ? -limits.infinity() : limits.infinity();
  // Digits with a point, then maybe an exponent with a sign.
  std::string plain;
  size_t i = 0, digits = 0, points = 0;
  for (; i < x.size() && (is_digit(x[i]) || x[i] == '.' || x[i] == '_'); ++i) {
    if (x[i] == '_')
      continue;
    (x[i] == '.' ? points : digits) += 1;
    plain += x[i];
  }
  if (points != 1 || digits == 0)
    return std::nullopt;
  if (i < x.size()) {
    auto rest = x.substr(i);
    if (rest.size() < 3 || (rest[0] | 0x20) != 'e'
        || (rest[1] != '+' && rest[1] != '-')
        || !std::ranges::all_of(rest.substr(2), is_digit))
      return std::nullopt;
    plain += 'e';
    plain += rest.substr(rest[1] == '+' ? 2 : 1);
  }
  double value = 0;
  auto end = plain.data() + plain.size();
  auto [stop, failed] = std::from_chars(plain.data(), end, value);
  if (failed == std::errc::result_out_of_range) {
    // Too large or too small: infinity or zero, as in Python.
    auto e = plain.find('e');
    value = e != plain.npos && plain[e + 1] == '-' ? 0 : limits.infinity();
  } else if (failed != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

/// Takes one or more digits, at most `max`.
std::optional<std::string> take_digits(std::string_view& x, size_t min,
                                       size_t max) {
  size_t n = 0;
  while (n < x.size() && n < max && is_digit(x[n]))
    ++n;
  if (n < min)
    return std::nullopt;
  std::string out{x.substr(0, n)};
  x.remove_prefix(n);
  return out;
}

bool take(std::string_view& x, std::string_view one_of) {
  if (x.empty() || one_of.find(x[0]) == one_of.npos)
    return false;
  x.remove_prefix(1);
  return true;
}

/// A date, or date and time, written as ISO 8601 has it.
scalar read_time(std::string_view x) {
  auto year = take_digits(x, 4, 4);
  if (!year || !take(x, "-"))
    return std::nullopt;
  auto month = take_digits(x, 1, 2);
  if (!month || !take(x, "-"))
    return std::nullopt;
  auto day = take_digits(x, 1, 2);
  if (!day)
    return std::nullopt;
  auto out = fmt::format("{}-{:0>2}-{:0>2}", *year, *month, *day);
  if (x.empty()) {
    if (month->size() != 2 || day->size() != 2)
      return std::nullopt;
    return parse_time(out) ? scalar{make_tagged("date", out)} : std::nullopt;
  }
  if (!take(x, "Tt") && !take(x, " \t"))
    return std::nullopt;
  while (take(x, " \t"))
    ;
  auto hour = take_digits(x, 1, 2);
  if (!hour || !take(x, ":"))
    return std::nullopt;
  auto minute = take_digits(x, 2, 2);
  if (!minute || !take(x, ":"))
    return std::nullopt;
  auto second = take_digits(x, 2, 2);
  if (!second)
    return std::nullopt;
  out += fmt::format("T{:0>2}:{}:{}", *hour, *minute, *second);
  if (take(x, "."))
    if (auto fraction = take_digits(x, 0, 64); !fraction->empty())
      out += fmt::format(".{:0<6}", fraction->substr(0, 6));
  while (take(x, " \t"))
    ;
  if (take(x, "Z")) {
    out += "+00:00";
  } else if (!x.empty()) {
    auto sign = x[0];
    if (!take(x, "+-"))
      return std::nullopt;
    auto hours = take_digits(x, 1, 2);
    if (!hours)
      return std::nullopt;
    std::optional<std::string> minutes{"00"};
    if (take(x, ":"))
      minutes = take_digits(x, 2, 2);
    if (!minutes)
      return std::nullopt;
    out += fmt::format("{}{:0>2}:{}", sign, *hours, *minutes);
  }
  if (!x.empty() || !parse_time(out))
    return std::nullopt;
  return make_tagged("datetime", out);
}

/// PyYAML ignores blank space, and so does everybody who breaks long lines.
scalar read_binary(const std::string& text) {
  std::string packed;
  for (auto c : text)
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
      packed += c;
  auto bytes = decode_base64(packed);
  return bytes ? scalar{tag_bytes(*bytes)} : std::nullopt;
}

json::value read_plain(const std::string& text) {
  for (auto read : {read_null, read_bool, read_integer, read_float, read_time})
    if (auto x = read(text))
      return std::move(*x);
  return json::value(json::string{text});
}

} // namespace

std::string refused_yaml_tag(std::string_view tag) {
  return fmt::format("the tag {} is outside of the safe subset",
                     python_repr(json::string{tag}, 80));
}

expected<json::value> read_yaml_scalar(std::string_view tag,
                                       const std::string& text) {
  auto malformed = [](std::string why) {
    return error{errc::malformed, std::move(why)};
  };
  if (tag == "?" || tag.empty()) {
    if (text == "<<")
      return malformed("a merge key (<<) is outside of the safe subset");
    return read_plain(text);
  }
  constexpr std::string_view standard = "tag:yaml.org,2002:";
  if (tag == "!")
    return json::value(json::string{text});
  if (!tag.starts_with(standard))
    return malformed(refused_yaml_tag(tag));
  auto kind = tag.substr(standard.size());
  scalar x;
  if (kind == "str")
    x = json::value(json::string{text});
  else if (kind == "null")
    x = json::value{};
  else if (kind == "bool")
    x = read_bool(text);
  else if (kind == "int")
    x = read_integer(text);
  else if (kind == "float") {
    x = read_float(text);
    if (!x)
      if (auto whole = read_integer(text))
        x = whole->to_number<double>();
  } else if (kind == "timestamp")
    x = read_time(text);
  else if (kind == "binary")
    x = read_binary(text);
  else
    return malformed(refused_yaml_tag(tag));
  if (!x)
    return malformed(fmt::format("{} is no {}",
                                 python_repr(json::string{text}, 40), kind));
  return std::move(*x);
}

std::optional<std::string> yaml_key(const json::value& x) {
  if (auto text = x.if_string())
    return std::string{std::string_view{*text}};
  if (auto object = x.if_object())
    if (auto tag = look_at_tag(*object))
      return text_of(*tag);
  if (x.is_structured())
    return std::nullopt;
  return to_json(x);
}

} // namespace umbel
