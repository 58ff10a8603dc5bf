// Entries of the ledger of unacknowledged messages: `[envelope, exchange,
// routing_key]`, with the envelope's bytes kept as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace umbel::redis {

/// The end of the entry of a message that came from `queue`: `, "",
/// "<queue>"]`. The whole is `[`, the payload, and this; Python peers restore
/// it through the anonymous exchange.
std::string entry_ending(std::string_view queue);

struct entry {
  std::string_view payload; ///< a part of the text that was split
  std::string exchange;     ///< empty: the anonymous exchange
  std::string routing_key;
};

/// Takes an entry apart from its end, so that the payload may be anything, even
/// broken JSON. @returns nothing if `text` is no entry.
std::optional<entry> split_entry(std::string_view text);

/// The envelope marked as redelivered; unchanged if it is no envelope.
std::string redelivered(std::string_view payload);

} // namespace umbel::redis
