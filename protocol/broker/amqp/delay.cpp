#include "protocol/broker/amqp/delay.hpp"

namespace umbel::amqp {

std::string delay_level(int level) {
  return "celery_delayed_" + std::to_string(level);
}

std::string delay_key(int64_t seconds, std::string_view queue) {
  std::string result;
  for (int level = delay_levels - 1; level >= 0; --level)
    result += (seconds >> level & 1) != 0 ? "1." : "0.";
  return result.append(queue);
}

std::string delay_pattern(std::string_view queue) {
  std::string result;
  for (int level = 0; level < delay_levels; ++level)
    result += "*.";
  return result.append(queue);
}

std::string level_pattern(int level, bool waits) {
  std::string result;
  for (int above = delay_levels - 1; above > level; --above)
    result += "*.";
  return result + (waits ? "1.#" : "0.#");
}

std::pair<std::string_view, std::string_view>
undelayed(std::string_view exchange, std::string_view routing_key) {
  if (exchange == delay_exit && routing_key.size() > 2 * delay_levels)
    return {"", routing_key.substr(2 * delay_levels)};
  return {exchange, routing_key};
}

} // namespace umbel::amqp
