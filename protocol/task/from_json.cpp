#include "protocol/task/from_json.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/task/describe_exception.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace umbel::detail {

namespace {

/// A value in kombu's form {"__type__": T, "__value__": V}.
struct tagged {
  std::string_view type;
  const json::value* value = nullptr;

  explicit tagged(const json::value& x) {
    auto* object = x.if_object();
    if (!object || object->size() != 2)
      return;
    auto* tag = object->if_contains("__type__");
    auto* content = object->if_contains("__value__");
    if (tag && content && tag->is_string()) {
      type = tag->get_string();
      value = content;
    }
  }

  bool is_text(std::string_view wanted) const {
    return type == wanted && value->is_string();
  }

  std::string_view text() const {
    return value->get_string();
  }
};

std::string_view python_type(const json::value& x) {
  switch (x.kind()) {
    case json::kind::null:
      return "NoneType";
    case json::kind::bool_:
      return "bool";
    case json::kind::int64:
    case json::kind::uint64:
      return "int";
    case json::kind::double_:
      return "float";
    case json::kind::string:
      return "str";
    case json::kind::array:
      return "list";
    case json::kind::object:
      break;
  }
  auto tag = tagged{x}.type;
  if (tag == "decimal")
    return "Decimal";
  if (tag == "uuid")
    return "UUID";
  if (tag == "base64")
    return "bytes";
  return tag.empty() ? "dict" : tag;
}

/// kombu writes a UUID as {"hex": 32 digits}.
std::optional<std::string> uuid_text(const tagged& x) {
  if (x.type != "uuid")
    return std::nullopt;
  if (x.value->is_string())
    return std::string{x.text()};
  auto* object = x.value->if_object();
  auto* hex = object ? object->if_contains("hex") : nullptr;
  if (!hex || !hex->is_string() || hex->get_string().size() != 32)
    return std::nullopt;
  std::string to{hex->get_string()};
  for (size_t dash : {8, 13, 18, 23})
    to.insert(dash, 1, '-');
  return to;
}

[[noreturn]] void throw_out_of_range(const json::value& x, std::string min,
                                     std::string max) {
  throw bad_argument{"", fmt::format("must be between {} and {}, not {}", min,
                                     max, json::serialize(x))};
}

} // namespace

void throw_bad_argument(const std::string& wanted, const json::value& x) {
  throw bad_argument{"",
                     fmt::format("must be {}, not {}", wanted, python_type(x))};
}

void throw_bad_argument(const std::string& wanted, const json::value& x,
                        const std::exception& why) {
  std::string reason = why.what();
  // what() of Boost's also tells the line of Boost's source.
  if (auto* known = dynamic_cast<const boost::system::system_error*>(&why))
    reason = known->code().message();
  throw bad_argument{"", fmt::format("must be {}, not {}: {}", wanted,
                                     python_type(x), reason)};
}

bool bool_from(const json::value& x) {
  if (!x.is_bool())
    throw_bad_argument("bool", x);
  return x.get_bool();
}

int64_t signed_from(const json::value& x, int64_t min, int64_t max) {
  if (!x.is_int64() && !x.is_uint64())
    throw_bad_argument("int", x);
  if (x.is_uint64() && x.get_uint64() > static_cast<uint64_t>(INT64_MAX))
    throw_out_of_range(x, std::to_string(min), std::to_string(max));
  auto result =
      x.is_int64() ? x.get_int64() : static_cast<int64_t>(x.get_uint64());
  if (result < min || result > max)
    throw_out_of_range(x, std::to_string(min), std::to_string(max));
  return result;
}

uint64_t unsigned_from(const json::value& x, uint64_t max) {
  if (!x.is_int64() && !x.is_uint64())
    throw_bad_argument("int", x);
  auto negative = x.is_int64() && x.get_int64() < 0;
  auto result =
      x.is_int64() ? static_cast<uint64_t>(x.get_int64()) : x.get_uint64();
  if (negative || result > max)
    throw_out_of_range(x, "0", std::to_string(max));
  return result;
}

double double_from(const json::value& x) {
  if (x.is_number())
    return x.to_number<double>();
  if (tagged tag{x}; tag.is_text("decimal")) {
    auto text = tag.text();
    double result = 0;
    auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), result);
    if (code == std::errc{} && end == text.data() + text.size())
      return result;
  }
  throw_bad_argument("float", x);
}

number number_from(const json::value& x) {
  if (x.is_double())
    return x.get_double();
  if (!x.is_number())
    throw_bad_argument("int or float", x);
  return signed_from(x, INT64_MIN, INT64_MAX);
}

std::string string_from(const json::value& x) {
  if (x.is_string())
    return std::string{x.get_string()};
  tagged tag{x};
  if (auto uuid = uuid_text(tag))
    return *uuid;
  for (auto known : {"decimal", "datetime", "date", "time", "bytes"})
    if (tag.is_text(known))
      return std::string{tag.text()};
  throw_bad_argument("str", x);
}

std::string_view string_view_from(const json::value& x) {
  if (!x.is_string())
    throw_bad_argument("str", x);
  return x.get_string();
}

bytes bytes_from(const json::value& x) {
  tagged tag{x};
  std::string decoded;
  std::string_view text;
  if (x.is_string()) {
    text = x.get_string();
  } else if (tag.is_text("bytes")) {
    text = tag.text();
  } else if (tag.is_text("base64")) {
    auto result = decode_base64(tag.text());
    if (!result)
      throw bad_argument{"", "must be bytes: " + result.error().what};
    decoded = std::move(*result);
    text = decoded;
  } else {
    throw_bad_argument("bytes", x);
  }
  auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

timestamp timestamp_from(const json::value& x) {
  tagged tag{x};
  std::string_view text;
  if (x.is_string())
    text = x.get_string();
  else if (tag.is_text("datetime") || tag.is_text("date"))
    text = tag.text();
  else
    throw_bad_argument("datetime", x);
  auto result = parse_time(text);
  if (!result)
    throw bad_argument{"", "must be datetime: " + result.error().what};
  return *result;
}

double seconds_from(const json::value& x, double min, double max) {
  if (!x.is_number())
    throw_bad_argument("a number of seconds", x);
  auto result = x.to_number<double>();
  // Written so that NaN fails too. The bounds themselves are rounded up.
  if (!(result > min && result < max))
    throw_out_of_range(x, fmt::format("{}", min), fmt::format("{}", max));
  return result;
}

const json::array& list_from(const json::value& x) {
  if (!x.is_array())
    throw_bad_argument("list", x);
  return x.get_array();
}

const json::array& list_from(const json::value& x, size_t size) {
  auto& list = list_from(x);
  if (list.size() != size)
    throw bad_argument{
        "", fmt::format("must have {} elements, not {}", size, list.size())};
  return list;
}

const json::object& dict_from(const json::value& x) {
  if (!x.is_object())
    throw_bad_argument("dict", x);
  return x.get_object();
}

int64_t integer_key(std::string_view text) {
  int64_t result = 0;
  auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), result);
  if (code != std::errc{} || end != text.data() + text.size())
    throw bad_argument{"",
                       fmt::format("must have integer keys, not '{}'", text)};
  return result;
}

std::string short_type_name(const std::type_info& type) {
  return split_type_name(type).name;
}

} // namespace umbel::detail
