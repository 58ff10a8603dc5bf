#include "protocol/task/to_json.hpp"

#include "protocol/message/envelope.hpp"

#include <cmath>

namespace umbel {

json::value to_json_value(const bytes& x) {
  std::string_view text{reinterpret_cast<const char*>(x.data()), x.size()};
  return json::object{{"__type__", "base64"},
                      {"__value__", encode_base64(text)}};
}

json::value to_json_value(timestamp x) {
  return json::value_from(format_time(x));
}

json::value to_json_value(number x) {
  if (x.is_integer())
    return x.integer();
  return x.real();
}

json::value seconds_to_json(std::chrono::duration<double> x) {
  constexpr double exact_max = 9e15; // integers are exact in a double
  if (x.count() == std::floor(x.count()) && std::abs(x.count()) < exact_max)
    return static_cast<int64_t>(x.count());
  return x.count();
}

} // namespace umbel
