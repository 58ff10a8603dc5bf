#include "protocol/message/tags.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/utf8.hpp"

namespace umbel {

namespace {

void append_utf8(std::string& out, char32_t c) {
  auto tail = [&](int shift) {
    out += static_cast<char>(0x80 | (c >> shift & 0x3f));
  };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

} // namespace

bool is_known_tag(std::string_view type) {
  for (auto known :
       {"datetime", "date", "time", "decimal", "uuid", "bytes", "base64"})
    if (type == known)
      return true;
  return false;
}

std::optional<tagged_value> look_at_tag(const json::object& x) {
  if (x.size() != 2)
    return std::nullopt;
  auto type = x.if_contains("__type__");
  auto value = x.if_contains("__value__");
  if (!type || !type->is_string() || !value
      || !is_known_tag(type->get_string()))
    return std::nullopt;
  return tagged_value{type->get_string(), value};
}

json::value make_tagged(std::string_view type, std::string_view value) {
  return json::object{{"__type__", type}, {"__value__", value}};
}

json::value tag_bytes(std::string_view x) {
  if (is_valid_utf8(x))
    return make_tagged("bytes", x);
  return make_tagged("base64", encode_base64(x));
}

std::optional<std::string> bytes_of(const tagged_value& x) {
  auto text = x.value->if_string();
  if (!text)
    return std::nullopt;
  if (x.type == "bytes")
    return std::string{std::string_view{*text}};
  if (x.type == "base64")
    if (auto decoded = decode_base64(*text))
      return std::move(*decoded);
  return std::nullopt;
}

std::string text_of(const tagged_value& x) {
  if (auto text = x.value->if_string())
    return to_valid_utf8(*text);
  // uuid: {"hex": 32 digits}
  if (auto object = x.value->if_object())
    if (auto hex = object->if_contains("hex"); hex && hex->is_string()) {
      auto digits = std::string{std::string_view{hex->get_string()}};
      if (digits.size() == 32)
        for (size_t at : {20, 16, 12, 8})
          digits.insert(at, 1, '-');
      return digits;
    }
  return to_json(*x.value);
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    auto before = text.size();
    // A replacement character that is really there takes three bytes.
    if (take_code_point(text) == 0xfffd && before - text.size() == 1)
      return false;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  if (is_valid_utf8(text))
    return std::string{text};
  std::string out;
  while (!text.empty())
    append_utf8(out, take_code_point(text));
  return out;
}

} // namespace umbel
