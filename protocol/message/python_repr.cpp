// Python's repr for logs, events and the argsrepr header. The text of strings
// is CPython's; the cutting is that of Celery's saferepr.
#include "protocol/message/json.hpp"
#include "protocol/message/python_float.hpp"
#include "protocol/message/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace umbel {

namespace {

/// What str.isprintable() denies: controls, formats, surrogates, private use,
/// separators. (Unassigned code points are left alone: they change with each
/// version of Unicode.)
struct range {
  char32_t first;
  char32_t last;
};

constexpr std::array<range, 28> unprintable{{
    {0x0000, 0x001f},     {0x007f, 0x00a0},   {0x00ad, 0x00ad},
    {0x0600, 0x0605},     {0x061c, 0x061c},   {0x06dd, 0x06dd},
    {0x070f, 0x070f},     {0x0890, 0x0891},   {0x08e2, 0x08e2},
    {0x1680, 0x1680},     {0x180e, 0x180e},   {0x2000, 0x200f},
    {0x2028, 0x202f},     {0x205f, 0x2064},   {0x2066, 0x206f},
    {0x3000, 0x3000},     {0xd800, 0xf8ff},   {0xfeff, 0xfeff},
    {0xfff9, 0xfffb},     {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x13438},   {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0001, 0xe0001},   {0xe0020, 0xe007f}, {0xf0000, 0xffffd},
    {0x100000, 0x10fffd},
}};

bool is_printable(char32_t c) {
  if (c >= 0x20 && c < 0x7f)
    return true;
  auto i = std::lower_bound(unprintable.begin(), unprintable.end(), c,
                            [](auto& x, char32_t y) { return x.last < y; });
  return i == unprintable.end() || c < i->first;
}

class repr_writer {
public:
  explicit repr_writer(size_t max)
      : left_(static_cast<int64_t>(std::min<size_t>(max, INT64_MAX))) {
  }

  void value(const json::value& x) {
    switch (x.kind()) {
      case json::kind::null:
        token("None");
        break;
      case json::kind::bool_:
        token(x.get_bool() ? "True" : "False");
        break;
      case json::kind::int64:
        token(fmt::format("{}", x.get_int64()));
        break;
      case json::kind::uint64:
        token(fmt::format("{}", x.get_uint64()));
        break;
      case json::kind::double_:
        token(number(x.get_double()));
        break;
      case json::kind::string:
        quoted(x.get_string());
        break;
      case json::kind::array:
        sequence(x.get_array(), "[", "]");
        break;
      case json::kind::object:
        mapping(x.get_object());
        break;
    }
  }

  void sequence(const json::array& xs, std::string_view open,
                std::string_view close) {
    if (!token(open))
      return;
    bool first = true;
    for (auto& x : xs) {
      if (!first && !token(", "))
        break;
      first = false;
      value(x);
      if (cut_)
        break;
    }
    end(close);
  }

  std::string take() {
    return std::move(out_);
  }

private:
  void mapping(const json::object& xs) {
    if (!token("{"))
      return;
    bool first = true;
    for (auto& [key, x] : xs) {
      if (!first && !token(", "))
        break;
      first = false;
      quoted(key);
      token(": ");
      if (!cut_)
        value(x);
      if (cut_)
        break;
    }
    end("}");
  }

  static std::string number(double x) {
    if (std::isnan(x))
      return "nan";
    if (std::isinf(x))
      return x < 0 ? "-inf" : "inf";
    std::string out;
    append_python_float(out, x);
    return out;
  }

  /// Writes one piece; when nothing is left, writes ", ..." for all the rest.
  bool token(std::string_view text) {
    if (cut_)
      return false;
    if (left_ <= 0) {
      out_ += ", ...";
      cut_ = true;
      return false;
    }
    out_ += text;
    left_ -= static_cast<int64_t>(text.size());
    return true;
  }

  /// Closes an open bracket, also after the cut.
  void end(std::string_view close) {
    token(close);
    if (cut_)
      out_ += close;
  }

  void quoted(std::string_view text) {
    if (!token(""))
      return;
    char quote = text.find('\'') != text.npos && text.find('"') == text.npos
                     ? '"'
                     : '\'';
    out_ += quote;
    int64_t taken = 2;
    for (; !text.empty() && taken - 2 < left_; ++taken)
      character(take_code_point(text), quote);
    if (!text.empty()) {
      out_ += "...";
      taken += 3;
    }
    out_ += quote;
    left_ -= taken;
  }

  void character(char32_t c, char quote) {
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out_ += '\\';
      out_ += static_cast<char>(c);
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\r') {
      out_ += "\\r";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (is_printable(c)) {
      append_utf8(c);
    } else if (c < 0x100) {
      out_ += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    } else if (c < 0x10000) {
      out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      out_ += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
    }
  }

  void append_utf8(char32_t c) {
    auto tail = [&](int shift) {
      out_ += static_cast<char>(0x80 | (c >> shift & 0x3f));
    };
    if (c < 0x80) {
      out_ += static_cast<char>(c);
    } else if (c < 0x800) {
      out_ += static_cast<char>(0xc0 | c >> 6);
      tail(0);
    } else if (c < 0x10000) {
      out_ += static_cast<char>(0xe0 | c >> 12);
      tail(6);
      tail(0);
    } else {
      out_ += static_cast<char>(0xf0 | c >> 18);
      tail(12);
      tail(6);
      tail(0);
    }
  }

  std::string out_;
  int64_t left_;
  bool cut_ = false;
};

} // namespace

std::string python_repr(const json::value& x, size_t max) {
  repr_writer out{max};
  out.value(x);
  return out.take();
}

std::string python_repr_tuple(const json::array& x, size_t max) {
  repr_writer out{max};
  out.sequence(x, "(", x.size() == 1 ? ",)" : ")");
  return out.take();
}

} // namespace umbel
