#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace umbel {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr uint8_t bad = 0xff; // no valid value has its highest bit set

constexpr auto values = [] {
  std::array<uint8_t, 256> xs{};
  xs.fill(bad);
  for (size_t i = 0; i < alphabet.size(); ++i)
    xs[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  return xs;
}();

error broken(std::string_view why, size_t at) {
  return {errc::malformed, fmt::format("base64: {} at character {}", why, at)};
}

/// Decodes the rest one character at a time: line breaks, the last group, and
/// the place of an error.
expected<std::string> decode_rest(std::string_view text, size_t i,
                                  std::string out) {
  uint32_t bits = 0;
  int have = 0;
  for (; i < text.size() && text[i] != '='; ++i) {
    auto c = static_cast<uint8_t>(text[i]);
    if (c == '\n' || c == '\r')
      continue;
    if (values[c] == bad)
      return broken("a character that does not belong there", i);
    bits = bits << 6 | values[c];
    if (++have == 4) {
      out += static_cast<char>(bits >> 16);
      out += static_cast<char>(bits >> 8);
      out += static_cast<char>(bits);
      bits = 0;
      have = 0;
    }
  }
  int padding = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '=')
      ++padding;
    else if (text[i] != '\n' && text[i] != '\r')
      return broken("text after the padding", i);
  }
  if (have == 1 || (have + padding) % 4 != 0 || padding > 2)
    return broken("wrong padding", text.size());
  if (have >= 2)
    out += static_cast<char>(have == 2 ? bits >> 4 : bits >> 10);
  if (have == 3)
    out += static_cast<char>(bits >> 2);
  return out;
}

} // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  auto in = reinterpret_cast<const uint8_t*>(bytes.data());
  auto to = out.data();
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    uint32_t x = in[i] << 16 | in[i + 1] << 8 | in[i + 2];
    *to++ = alphabet[x >> 18];
    *to++ = alphabet[x >> 12 & 63];
    *to++ = alphabet[x >> 6 & 63];
    *to++ = alphabet[x & 63];
  }
  if (auto rest = bytes.size() - i; rest > 0) {
    uint32_t x = in[i] << 16 | (rest == 2 ? in[i + 1] << 8 : 0);
    *to++ = alphabet[x >> 18];
    *to++ = alphabet[x >> 12 & 63];
    if (rest == 2)
      *to++ = alphabet[x >> 6 & 63];
  }
  return out;
}

expected<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.resize(text.size() / 4 * 3);
  auto in = reinterpret_cast<const uint8_t*>(text.data());
  auto to = out.data();
  size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    auto a = values[in[i]], b = values[in[i + 1]], c = values[in[i + 2]],
         d = values[in[i + 3]];
    if ((a | b | c | d) & 0x80)
      break;
    uint32_t x = a << 18 | b << 12 | c << 6 | d;
    *to++ = static_cast<char>(x >> 16);
    *to++ = static_cast<char>(x >> 8);
    *to++ = static_cast<char>(x);
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return decode_rest(text, i, std::move(out));
}

} // namespace umbel
