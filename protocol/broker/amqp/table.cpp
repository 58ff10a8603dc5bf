#include "protocol/broker/amqp/table.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/python_float.hpp"
#include "protocol/message/time.hpp"
#include "protocol/message/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

namespace umbel::amqp {

namespace {

// -- AMQP to JSON ---------------------------------------------------------------

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // A replacement character that was written as such has three bytes.
    auto before = text.size();
    if (take_code_point(text) == 0xfffd && before - text.size() == 1)
      return false;
  }
  return true;
}

void append_tagged(std::string& out, std::string_view type,
                   std::string_view value) {
  out += R"({"__type__": )";
  umbel::append_json(out, type);
  out += R"(, "__value__": )";
  umbel::append_json(out, value);
  out += '}';
}

// JSON has no word for it that every parser takes; Python's is NaN.
void append_float(std::string& out, double x) {
  if (std::isfinite(x))
    append_python_float(out, x);
  else
    out += std::isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";
}

/// 12345 with two decimals is "123.45".
std::string decimal_text(const amqp_decimal_t& x) {
  auto number = static_cast<int32_t>(x.value);
  auto digits = std::to_string(std::abs(static_cast<int64_t>(number)));
  if (digits.size() <= x.decimals)
    digits.insert(0, x.decimals + 1 - digits.size(), '0');
  if (x.decimals > 0)
    digits.insert(digits.size() - x.decimals, 1, '.');
  return number < 0 ? '-' + digits : digits;
}

void append_value(std::string& out, const amqp_field_value_t& x) {
  auto to = std::back_inserter(out);
  switch (x.kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      out += x.value.boolean ? "true" : "false";
      return;
    case AMQP_FIELD_KIND_I8:
      fmt::format_to(to, "{}", static_cast<int>(x.value.i8));
      return;
    case AMQP_FIELD_KIND_U8:
      fmt::format_to(to, "{}", static_cast<int>(x.value.u8));
      return;
    case AMQP_FIELD_KIND_I16:
      fmt::format_to(to, "{}", x.value.i16);
      return;
    case AMQP_FIELD_KIND_U16:
      fmt::format_to(to, "{}", x.value.u16);
      return;
    case AMQP_FIELD_KIND_I32:
      fmt::format_to(to, "{}", x.value.i32);
      return;
    case AMQP_FIELD_KIND_U32:
      fmt::format_to(to, "{}", x.value.u32);
      return;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64: // py-amqp writes signed numbers so
      fmt::format_to(to, "{}", x.value.i64);
      return;
    case AMQP_FIELD_KIND_F32:
      append_float(out, static_cast<double>(x.value.f32));
      return;
    case AMQP_FIELD_KIND_F64:
      append_float(out, x.value.f64);
      return;
    case AMQP_FIELD_KIND_DECIMAL:
      append_tagged(out, "decimal", decimal_text(x.value.decimal));
      return;
    case AMQP_FIELD_KIND_TIMESTAMP:
      append_tagged(
        out, "datetime",
        format_time(timestamp{std::chrono::seconds{x.value.u64 % (1ull << 33)}}));
      return;
    case AMQP_FIELD_KIND_UTF8:
      umbel::append_json(out, view(x.value.bytes));
      return;
    case AMQP_FIELD_KIND_BYTES:
      if (auto text = view(x.value.bytes); is_utf8(text))
        umbel::append_json(out, text);
      else
        append_tagged(out, "base64", encode_base64(text));
      return;
    case AMQP_FIELD_KIND_ARRAY:
      out += '[';
      for (int i = 0; i < x.value.array.num_entries; ++i) {
        out += i > 0 ? ", " : "";
        append_value(out, x.value.array.entries[i]);
      }
      out += ']';
      return;
    case AMQP_FIELD_KIND_TABLE:
      open_object(out, x.value.table);
      out += '}';
      return;
    default:
      out += "null";
  }
}

// -- JSON to AMQP ---------------------------------------------------------------

std::optional<amqp_decimal_t> parse_decimal(std::string_view text) {
  std::string digits{text};
  auto point = digits.find('.');
  size_t decimals = 0;
  if (point != std::string::npos) {
    decimals = digits.size() - point - 1;
    digits.erase(point, 1);
  }
  int32_t value = 0;
  auto end = digits.data() + digits.size();
  auto [ptr, ec] = std::from_chars(digits.data(), end, value);
  if (ec != std::errc{} || ptr != end || decimals > 255)
    return std::nullopt;
  return amqp_decimal_t{static_cast<uint8_t>(decimals),
                        static_cast<uint32_t>(value)};
}

/// The AMQP type that has a tag in JSON, if it holds the value.
std::optional<amqp_field_value_t> from_tagged(const json::object& x,
                                              pool& memory) {
  auto type = x.if_contains("__type__");
  auto value = x.if_contains("__value__");
  if (x.size() != 2 || !type || !value || !type->is_string()
      || !value->is_string())
    return std::nullopt;
  amqp_field_value_t result{};
  std::string_view text{value->get_string()};
  if (type->get_string() == "decimal") {
    auto number = parse_decimal(text);
    if (!number)
      return std::nullopt;
    result.kind = AMQP_FIELD_KIND_DECIMAL;
    result.value.decimal = *number;
  } else if (type->get_string() == "datetime") {
    auto time = parse_time(text);
    if (!time || time->time_since_epoch().count() < 0)
      return std::nullopt;
    result.kind = AMQP_FIELD_KIND_TIMESTAMP;
    result.value.u64 = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch())
        .count());
  } else if (type->get_string() == "base64") {
    auto raw = decode_base64(text);
    if (!raw)
      return std::nullopt;
    result.kind = AMQP_FIELD_KIND_BYTES;
    result.value.bytes = bytes(memory.copy(*raw));
  } else {
    return std::nullopt;
  }
  return result;
}

amqp_field_value_t integer(int64_t x) {
  amqp_field_value_t result{};
  if (x >= std::numeric_limits<int32_t>::min()
      && x <= std::numeric_limits<int32_t>::max()) {
    result.kind = AMQP_FIELD_KIND_I32;
    result.value.i32 = static_cast<int32_t>(x);
  } else {
    result.kind = AMQP_FIELD_KIND_U64;
    result.value.i64 = x;
  }
  return result;
}

amqp_field_value_t to_value(const json::value& x, pool& memory) {
  amqp_field_value_t result{};
  switch (x.kind()) {
    case json::kind::null:
      result.kind = AMQP_FIELD_KIND_VOID;
      return result;
    case json::kind::bool_:
      result.kind = AMQP_FIELD_KIND_BOOLEAN;
      result.value.boolean = x.get_bool();
      return result;
    case json::kind::int64:
      return integer(x.get_int64());
    case json::kind::uint64: // beyond int64, or boost would have chosen that
      return integer(static_cast<int64_t>(x.get_uint64()));
    case json::kind::double_:
      result.kind = AMQP_FIELD_KIND_F64;
      result.value.f64 = x.get_double();
      return result;
    case json::kind::string:
      result.kind = AMQP_FIELD_KIND_UTF8;
      result.value.bytes = bytes(std::string_view{x.get_string()});
      return result;
    case json::kind::array: {
      auto& from = x.get_array();
      result.kind = AMQP_FIELD_KIND_ARRAY;
      result.value.array.num_entries = static_cast<int>(from.size());
      result.value.array.entries
        = memory.array<amqp_field_value_t>(from.size());
      std::transform(from.begin(), from.end(), result.value.array.entries,
                     [&](auto& y) { return to_value(y, memory); });
      return result;
    }
    case json::kind::object:
      if (auto tagged = from_tagged(x.get_object(), memory))
        return *tagged;
      result.kind = AMQP_FIELD_KIND_TABLE;
      result.value.table = to_table(x.get_object(), memory);
      return result;
  }
  return result;
}

} // namespace

std::string_view pool::copy(std::string_view text) {
  auto* to = array<char>(std::max<size_t>(text.size(), 1));
  std::copy(text.begin(), text.end(), to);
  return {to, text.size()};
}

bool open_object(std::string& out, const amqp_table_t& x) {
  out += '{';
  for (int i = 0; i < x.num_entries; ++i) {
    out += i > 0 ? ", " : "";
    umbel::append_json(out, view(x.entries[i].key));
    out += ": ";
    append_value(out, x.entries[i].value);
  }
  return x.num_entries > 0;
}

amqp_table_t to_table(const json::object& x, pool& memory) {
  amqp_table_t result{0, nullptr};
  if (x.empty())
    return result;
  result.entries = memory.array<amqp_table_entry_t>(x.size());
  for (auto& [key, value] : x) {
    auto& entry = result.entries[result.num_entries++];
    entry.key = bytes(std::string_view{key});
    entry.value = to_value(value, memory);
  }
  return result;
}

} // namespace umbel::amqp
