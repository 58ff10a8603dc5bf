#include "protocol/message/delivery_mode.hpp"

#include <tuple>

namespace umbel {

expected<delivery_mode> parse_delivery_mode(const json::value& x) {
  for (auto [mode, name, number] :
       {std::tuple{delivery_mode::transient, "transient", "1"},
        std::tuple{delivery_mode::persistent, "persistent", "2"}}) {
    if (x.is_string() && (x.get_string() == name || x.get_string() == number))
      return mode;
    if (x.is_int64() && x.get_int64() == static_cast<int64_t>(mode))
      return mode;
  }
  return error{errc::malformed, to_json(x)
                                  + " is no delivery mode; there are "
                                    "transient (1) and persistent (2)"};
}

} // namespace umbel
