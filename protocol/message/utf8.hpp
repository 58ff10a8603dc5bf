// Reading UTF-8 that may be broken: text of tasks and exceptions comes from
// anywhere, and what is written must always be readable by a peer.
#pragma once

#include <cstdint>
#include <string_view>

namespace umbel {

/// Takes the first code point from `text`. A byte that does not begin a valid
/// sequence is taken alone and yields U+FFFD. @pre `text` is not empty.
inline char32_t take_code_point(std::string_view& text) noexcept {
  constexpr char32_t replacement = 0xfffd;
  auto lead = static_cast<uint8_t>(text[0]);
  size_t n = lead < 0x80   ? 1
             : lead < 0xc2 ? 0
             : lead < 0xe0 ? 2
             : lead < 0xf0 ? 3
             : lead < 0xf5 ? 4
                           : 0;
  if (n == 1) {
    text.remove_prefix(1);
    return lead;
  }
  char32_t x = n == 2 ? lead & 0x1f : n == 3 ? lead & 0x0f : lead & 0x07;
  bool good = n != 0 && text.size() >= n;
  for (size_t i = 1; good && i < n; ++i) {
    auto c = static_cast<uint8_t>(text[i]);
    good = (c & 0xc0) == 0x80;
    x = x << 6 | (c & 0x3f);
  }
  // Overlong forms, surrogates, and what lies beyond Unicode.
  if (!good || (n == 3 && (x < 0x800 || (x >= 0xd800 && x < 0xe000)))
      || (n == 4 && (x < 0x10000 || x > 0x10ffff))) {
    text.remove_prefix(1);
    return replacement;
  }
  text.remove_prefix(n);
  return x;
}

} // namespace umbel
