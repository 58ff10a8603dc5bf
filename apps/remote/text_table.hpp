// Tables for people: columns as wide as what stands in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// What others say, so that it is one line and does nothing to a terminal: control
/// characters are written as Python escapes them.
std::string one_line(std::string_view text);

/// How many columns a text takes on a terminal, one for each character.
size_t width_of(std::string_view text);

/// A text cut to so many columns, with "..." if something is missing.
std::string cut(std::string_view text, size_t width);

class text_table {
public:
  using row = std::vector<std::string>;

  explicit text_table(row titles) : rows_{std::move(titles)} {
  }

  /// @pre as many cells as there are titles
  void add(row x);

  bool empty() const noexcept {
    return rows_.size() == 1;
  }

  /// One line for the titles and one for each row, in the order in which they
  /// came. Cells are made into one line each.
  std::string text() const;

private:
  std::vector<row> rows_;
};

} // namespace umbel
