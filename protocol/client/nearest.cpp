#include "protocol/client/nearest.hpp"

#include <algorithm>
#include <vector>

namespace umbel {

size_t edit_distance(std::string_view x, std::string_view y) {
  // Three rows of the usual table: a swap looks two rows back.
  std::vector<size_t> before(y.size() + 1);
  std::vector<size_t> above(y.size() + 1);
  std::vector<size_t> row(y.size() + 1);
  for (size_t j = 0; j <= y.size(); ++j)
    above[j] = j;
  for (size_t i = 1; i <= x.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= y.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1,
                         above[j - 1] + (x[i - 1] == y[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[y.size()];
}

std::optional<std::string_view>
nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> result;
  auto best = std::max<size_t>(word.size() / 3, 1) + 1;
  for (auto candidate : candidates) {
    auto distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      result = candidate;
    }
  }
  return result;
}

} // namespace umbel
