#include "protocol/backend/result_record.hpp"

namespace umbel {

bool is_success(std::string_view document) {
  auto skip = [&](std::string_view token) {
    auto pos = document.find_first_not_of(" \t\r\n");
    if (pos == std::string_view::npos
        || document.substr(pos, token.size()) != token)
      return false;
    document.remove_prefix(pos + token.size());
    return true;
  };
  return skip("{") && skip("\"status\"") && skip(":") && skip("\"SUCCESS\"");
}

} // namespace umbel
