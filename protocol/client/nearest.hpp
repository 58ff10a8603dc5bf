// "Did you mean ...?"
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace umbel {

/// How many single changes (insert, delete, replace, swap of neighbours) lead
/// from one word to the other.
size_t edit_distance(std::string_view x, std::string_view y);

/// The candidate that was most probably meant, if one is near enough: at most a
/// third of the letters wrong. The first one wins a draw.
std::optional<std::string_view>
nearest(std::string_view word, std::span<const std::string_view> candidates);

} // namespace umbel
