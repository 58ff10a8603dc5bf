#include "protocol/broker/dead_letter.hpp"

#include "protocol/message/delivery_history.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

namespace umbel {

// FNV-1a, folded into 48 bits. Of ten thousand letters two have the same id in
// one case of five million; then both are taken.
std::string dead_letter_id(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (auto c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:012x}", (hash ^ (hash >> 48)) & 0xffffffffffff);
}

outgoing_message replayed(const queue_name& queue, std::string_view payload) {
  return {queue, priority_of(payload), as_new(payload)};
}

} // namespace umbel
