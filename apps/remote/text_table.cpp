#include "apps/remote/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

constexpr std::string_view gap = "  ";

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
}

} // namespace

std::string one_line(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\r')
      result += "\\r";
    else if (c < 0x20 || c == 0x7f)
      result += fmt::format("\\x{:02x}", c);
    else if (c == 0xc2 && i + 1 < text.size()
             && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      // The control characters beyond ASCII: some terminals obey them.
      result += fmt::format("\\x{:02x}",
                            static_cast<unsigned char>(text[++i]));
    else
      result += static_cast<char>(c);
  }
  return result;
}

size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, begins_character));
}

std::string cut(std::string_view text, size_t width) {
  constexpr std::string_view more = "...";
  if (width_of(text) <= width)
    return std::string{text};
  if (width <= more.size())
    return std::string{more.substr(0, width)};
  size_t end = 0;
  for (size_t left = width - more.size(); end < text.size(); ++end)
    if (begins_character(text[end]) && left-- == 0)
      break;
  return std::string{text.substr(0, end)}.append(more);
}

void text_table::add(row x) {
  for (auto& cell : x)
    cell = one_line(cell);
  rows_.push_back(std::move(x));
}

std::string text_table::text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  std::string result;
  for (auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      result += row[i];
      if (i + 1 < row.size())
        result.append(widths[i] - width_of(row[i]), ' ').append(gap);
    }
    result += '\n';
  }
  return result;
}

} // namespace umbel
