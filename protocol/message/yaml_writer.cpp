#include "protocol/message/envelope.hpp"
#include "protocol/message/python_float.hpp"
#include "protocol/message/tags.hpp"
#include "protocol/message/utf8.hpp"
#include "protocol/message/yaml.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace umbel {

namespace {

/// YAML allows no longer key in one line unless it is announced.
constexpr size_t simple_key_max = 1000;

void append_text(std::string& out, std::string_view x) {
  out += '"';
  while (!x.empty()) {
    auto c = take_code_point(x);
    if (c == '"' || c == '\\')
      (out += '\\') += static_cast<char>(c);
    else if (c == '\n')
      out += "\\n";
    else if (c >= 0x20 && c < 0x7f)
      out += static_cast<char>(c);
    else if (c < 0x100)
      fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                     static_cast<uint32_t>(c));
    else if (c < 0x10000)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                     static_cast<uint32_t>(c));
    else
      fmt::format_to(std::back_inserter(out), "\\U{:08x}",
                     static_cast<uint32_t>(c));
  }
  out += '"';
}

void append_float(std::string& out, double x) {
  if (std::isnan(x)) {
    out += ".nan";
  } else if (std::isinf(x)) {
    out += x < 0 ? "-.inf" : ".inf";
  } else {
    auto first = out.size();
    append_python_float(out, x);
    // To YAML 1.1, 1e-07 is a text.
    if (auto e = out.find('e', first);
        e != out.npos && out.find('.', first) == out.npos)
      out.insert(e, ".0");
  }
}

void append_tagged(std::string& out, const tagged_value& x) {
  if (auto bytes = bytes_of(x)) {
    out += "!!binary ";
    append_text(out, encode_base64(*bytes));
  } else {
    if (x.type == "datetime" || x.type == "date")
      out += "!!timestamp ";
    append_text(out, text_of(x));
  }
}

void append(std::string& out, const json::value& x) {
  switch (x.kind()) {
    case json::kind::null:
      out += "null";
      return;
    case json::kind::bool_:
      out += x.get_bool() ? "true" : "false";
      return;
    case json::kind::int64:
      out += std::to_string(x.get_int64());
      return;
    case json::kind::uint64:
      out += std::to_string(x.get_uint64());
      return;
    case json::kind::double_:
      append_float(out, x.get_double());
      return;
    case json::kind::string:
      append_text(out, x.get_string());
      return;
    case json::kind::array: {
      std::string_view before = "[";
      for (auto& y : x.get_array()) {
        out += before;
        append(out, y);
        before = ", ";
      }
      out += x.get_array().empty() ? "[]" : "]";
      return;
    }
    case json::kind::object:
      break;
  }
  auto& members = x.get_object();
  if (auto tag = look_at_tag(members))
    return append_tagged(out, *tag);
  out += '{';
  std::string_view before = "";
  for (auto& [key, y] : members) {
    out += before;
    before = ", ";
    std::string written;
    append_text(written, key);
    if (written.size() > simple_key_max)
      out += "? ";
    out += written;
    out += ": ";
    append(out, y);
  }
  out += '}';
}

} // namespace

std::string to_yaml(const json::value& x) {
  std::string out;
  append(out, x);
  out += '\n';
  return out;
}

} // namespace umbel
