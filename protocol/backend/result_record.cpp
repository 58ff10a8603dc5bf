#include "protocol/backend/result_record.hpp"

#include <cstddef>
#include <cstdint>

namespace umbel {

bool is_success(std::string_view document) {
  // MessagePack: a map of up to 15 members, or with its size in two bytes.
  if (!document.empty()) {
    auto first = static_cast<uint8_t>(document[0]);
    size_t head = first == 0xde ? 3 : first >> 4 == 8 ? 1 : 0;
    if (head > 0 && document.size() > head)
      return document.substr(head).starts_with("\xa6status\xa7SUCCESS");
  }
  // PyYAML's block style, where the keys stand in order.
  if (document.find("\nstatus: SUCCESS\n") != document.npos)
    return true;
  // JSON, and our YAML, have it first.
  auto skip = [&](std::string_view token) {
    auto pos = document.find_first_not_of(" \t\r\n");
    if (pos == document.npos || document.substr(pos, token.size()) != token)
      return false;
    document.remove_prefix(pos + token.size());
    return true;
  };
  return skip("{") && skip("\"status\"") && skip(":") && skip("\"SUCCESS\"");
}

} // namespace umbel
