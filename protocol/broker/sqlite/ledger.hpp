// The ledger: which message was delivered to which owner, under which of its
// numbers. Those who settle name many entries at once, and nearly always such
// that follow one another: a run of them is looked up, and goes, with one
// statement.
#pragma once

#include "protocol/broker/sqlite/database.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace umbel::sqlite {

/// What a delivery's tag names.
struct entry {
  int64_t owner;
  int64_t sequence;

  auto operator<=>(const entry&) const = default;
};

/// Takes entries out of the ledger.
/// @returns the message of each; nothing if it was not there, or is named twice
///          and was given before
std::vector<std::optional<int64_t>>
take_reserved(database& db, std::span<const entry> entries);

/// Deletes messages.
void remove_messages(database& db, std::vector<int64_t> ids);

} // namespace umbel::sqlite
