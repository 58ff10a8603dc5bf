// Writing: the bytes that Python's json.dumps would write.
#include "protocol/message/json.hpp"
#include "protocol/message/python_float.hpp"
#include "protocol/message/utf8.hpp"

#include <charconv>
#include <cmath>

namespace umbel {

namespace {

void append_hex4(std::string& out, unsigned x) {
  constexpr auto digits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out += digits[x >> shift & 15];
}

void append_escaped(std::string& out, char32_t c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      if (c < 0x10000) {
        append_hex4(out, c);
      } else {
        append_hex4(out, 0xd800 + ((c - 0x10000) >> 10));
        append_hex4(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
      }
  }
}

template <class Integer>
void append_integer(std::string& out, Integer x) {
  char buf[24];
  out.append(buf, std::to_chars(buf, buf + sizeof(buf), x).ptr);
}

} // namespace

void append_python_float(std::string& out, double x) {
  char buf[32];
  auto end =
      std::to_chars(buf, buf + sizeof(buf), x, std::chars_format::scientific)
          .ptr;
  // [-]d[.ddd]e(+|-)dd[d]: take it apart, then lay the digits out.
  auto first = buf;
  if (*first == '-') {
    out += '-';
    ++first;
  }
  std::string digits;
  auto p = first;
  for (; *p != 'e'; ++p)
    if (*p != '.')
      digits += *p;
  bool negative = p[1] == '-';
  int exponent = 0;
  std::from_chars(p + 2, end, exponent);
  if (negative)
    exponent = -exponent;
  auto size = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (size > 1)
      out.append(1, '.').append(digits, 1);
    out += negative ? "e-" : "e+";
    auto magnitude = negative ? -exponent : exponent;
    if (magnitude < 10)
      out += '0';
    append_integer(out, magnitude);
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<size_t>(-exponent - 1), '0');
    out += digits;
  } else {
    auto whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() <= whole)
      digits.append(whole - digits.size(), '0').append(1, '0');
    out.append(digits, 0, whole).append(1, '.').append(digits, whole);
  }
}

void append_json(std::string& out, std::string_view x) {
  out += '"';
  while (!x.empty()) {
    size_t plain = 0;
    while (plain < x.size() && x[plain] >= 0x20 && x[plain] < 0x7f
           && x[plain] != '"' && x[plain] != '\\')
      ++plain;
    out.append(x, 0, plain);
    x.remove_prefix(plain);
    if (!x.empty())
      append_escaped(out, take_code_point(x));
  }
  out += '"';
}

void append_json(std::string& out, const json::array& xs) {
  out += '[';
  bool first = true;
  for (auto& x : xs) {
    if (!first)
      out += ", ";
    first = false;
    append_json(out, x);
  }
  out += ']';
}

void append_json(std::string& out, const json::object& xs) {
  out += '{';
  bool first = true;
  for (auto& [key, x] : xs) {
    if (!first)
      out += ", ";
    first = false;
    append_json(out, std::string_view{key});
    out += ": ";
    append_json(out, x);
  }
  out += '}';
}

void append_json(std::string& out, const json::value& x) {
  switch (x.kind()) {
    case json::kind::null:
      out += "null";
      break;
    case json::kind::bool_:
      out += x.get_bool() ? "true" : "false";
      break;
    case json::kind::int64:
      append_integer(out, x.get_int64());
      break;
    case json::kind::uint64:
      append_integer(out, x.get_uint64());
      break;
    case json::kind::double_:
      if (auto d = x.get_double(); std::isnan(d))
        out += "NaN";
      else if (std::isinf(d))
        out += d < 0 ? "-Infinity" : "Infinity";
      else
        append_python_float(out, d);
      break;
    case json::kind::string:
      append_json(out, std::string_view{x.get_string()});
      break;
    case json::kind::array:
      append_json(out, x.get_array());
      break;
    case json::kind::object:
      append_json(out, x.get_object());
      break;
  }
}

std::string to_json(const json::value& x) {
  std::string out;
  append_json(out, x);
  return out;
}

} // namespace umbel
