// Who finds out that all parts of a chord's header have ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace umbel {

enum class chord_counting : uint8_t {
  counted,    ///< the result store, as each of them ends: Redis, SQLite
  polled,     ///< celery.chord_unlock, which looks for their results
  impossible, ///< nobody: results are kept nowhere
};

/// Of a result store, by its URL.
chord_counting chord_counting_of(const std::string& result_url);

/// Why a chord is refused where it is impossible.
inline constexpr std::string_view no_chords
  = "chords need results that are kept: in redis://, sqlite://, file:// or "
    "memory://; a group with a task after it is a chord, too";

/// The words of a child's settings.
std::string_view name_of(chord_counting x) noexcept;
chord_counting parse_chord_counting(std::string_view name) noexcept;

} // namespace umbel
