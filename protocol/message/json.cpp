// Parsing. Boost.JSON's parser does the work, behind a handler of our own: its
// ready-made one gives doubles that may be off in the last digit, and knows no
// NaN.
#include "protocol/message/json.hpp"

#include "protocol/message/tags.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace umbel {

namespace {

using boost::system::error_code;

/// A bare NaN, Infinity or -Infinity that was overwritten by a number.
struct patch {
  const char* at;
  double value;
};

class json_builder {
public:
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();

  json_builder(unsigned char* scratch, size_t size)
      : stack({}, scratch, size) {
  }

  bool on_document_begin(error_code&) {
    return true;
  }

  bool on_document_end(error_code&) {
    return true;
  }

  bool on_object_begin(error_code&) {
    return true;
  }

  bool on_object_end(size_t n, error_code&) {
    stack.push_object(n);
    return true;
  }

  bool on_array_begin(error_code&) {
    return true;
  }

  bool on_array_end(size_t n, error_code&) {
    stack.push_array(n);
    return true;
  }

  bool on_key_part(json::string_view s, size_t, error_code&) {
    stack.push_chars(s);
    return true;
  }

  bool on_key(json::string_view s, size_t, error_code&) {
    stack.push_key(s);
    return true;
  }

  bool on_string_part(json::string_view s, size_t, error_code&) {
    stack.push_chars(s);
    return true;
  }

  bool on_string(json::string_view s, size_t, error_code&) {
    stack.push_string(s);
    return true;
  }

  bool on_number_part(json::string_view, error_code&) {
    return true;
  }

  bool on_int64(int64_t x, json::string_view, error_code&) {
    stack.push_int64(x);
    return true;
  }

  bool on_uint64(uint64_t x, json::string_view, error_code&) {
    stack.push_uint64(x);
    return true;
  }

  bool on_double(double x, json::string_view digits, error_code&) {
    if (next_patch != patches.size()
        && patches[next_patch].at == digits.data()) {
      x = patches[next_patch++].value;
    } else {
      // Leaves the parser's value, infinite or zero, when out of range.
      auto end = digits.data() + digits.size();
      if (double y; std::from_chars(digits.data(), end, y).ec == std::errc{})
        x = y;
    }
    stack.push_double(x);
    return true;
  }

  bool on_bool(bool x, error_code&) {
    stack.push_bool(x);
    return true;
  }

  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }

  bool on_comment_part(json::string_view, error_code&) {
    return true;
  }

  bool on_comment(json::string_view, error_code&) {
    return true;
  }

  json::value_stack stack;
  std::vector<patch> patches; ///< in the order of the text
  size_t next_patch = 0;
};

/// `text` around `at`, safe to print.
std::string excerpt(std::string_view text, size_t at) {
  std::string out;
  for (auto c : text.substr(std::min(at, text.size()), 16))
    out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

error not_json(std::string_view text, size_t at, const error_code& ec) {
  auto what = fmt::format("not JSON: {} at byte {} of {}", ec.message(), at,
                          text.size());
  if (at < text.size())
    what += fmt::format(", before '{}'", excerpt(text, at));
  return {errc::malformed, std::move(what)};
}

expected<json::value> parse(std::string_view text, std::vector<patch> patches,
                            const json::storage_ptr& storage) {
  json::parse_options options;
  options.max_depth = json_depth_max;
  alignas(std::max_align_t) unsigned char scratch[4096];
  json::basic_parser<json_builder> parser(options, scratch, sizeof(scratch));
  parser.handler().patches = std::move(patches);
  parser.handler().stack.reset(storage);
  error_code ec;
  auto n = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && n < text.size())
    ec = json::error::extra_data;
  if (ec)
    return not_json(text, n, ec);
  return parser.handler().stack.release();
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
         || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '+'
         || c == '-';
}

struct spelling {
  std::string_view text;
  std::string_view number; ///< as long as text, so that positions stay
  double value;
};

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr std::array<spelling, 3> spellings{{
    {"NaN", "0.0", std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", "0.000000", infinity},
    {"-Infinity", "-0.000000", -infinity},
}};

/// Overwrites the words that Python writes for non-finite numbers, outside of
/// strings.
std::vector<patch> replace_non_finite(std::string& text) {
  std::vector<patch> out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        in_string = false;
      continue;
    }
    if (text[i] == '"') {
      in_string = true;
      continue;
    }
    if (!is_word(text[i]))
      continue;
    auto first = i;
    while (i + 1 < text.size() && is_word(text[i + 1]))
      ++i;
    auto word = std::string_view{text}.substr(first, i + 1 - first);
    for (auto& x : spellings) {
      if (word == x.text) {
        x.number.copy(text.data() + first, x.number.size());
        out.push_back({text.data() + first, x.value});
        break;
      }
    }
  }
  return out;
}

/// Returns where an unknown tag is, as a path, and leaves it in `tag`.
std::optional<std::string> find_unknown_tag(const json::value& x,
                                            const json::value*& tag) {
  if (auto xs = x.if_array()) {
    for (size_t i = 0; i < xs->size(); ++i)
      if (auto path = find_unknown_tag((*xs)[i], tag))
        return fmt::format("[{}]{}", i, *path);
  } else if (auto obj = x.if_object()) {
    if (obj->size() == 2 && obj->contains("__value__")) {
      if (auto type = obj->if_contains("__type__");
          type
          && !(type->is_string() && is_known_tag(type->get_string()))) {
        tag = type;
        return std::string{};
      }
    }
    for (auto& [key, value] : *obj)
      if (auto path = find_unknown_tag(value, tag))
        return fmt::format(".{}{}", std::string_view{key}, *path);
  }
  return std::nullopt;
}

} // namespace

expected<json::value> parse_json(std::string_view text,
                                 json::storage_ptr storage) {
  auto x = parse(text, {}, storage);
  if (x || (text.find("NaN") == text.npos && text.find("Inf") == text.npos))
    return x;
  std::string copy{text};
  auto patches = replace_non_finite(copy);
  if (patches.empty())
    return x;
  return parse(copy, std::move(patches), storage);
}

expected<void> check_tags(const json::value& x) {
  const json::value* tag = nullptr;
  if (auto path = find_unknown_tag(x, tag))
    return error{errc::malformed,
                 fmt::format("unknown __type__ {}{}{}", python_repr(*tag, 80),
                             path->empty() ? "" : " at ",
                             path->substr(0, 200))};
  return {};
}

} // namespace umbel
