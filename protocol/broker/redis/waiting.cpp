// The part of redis_broker for tasks that wait: delayed messages that are due, and
// turns under shared rate limits.
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/broker/redis/uniqueness.hpp"

namespace umbel {

using namespace redis;

namespace {

constexpr size_t messages_per_forward = 500;

// Whoever looks when the next message is due is believed to be there for so long
// without a word; he says it twice as often. Longer: fewer commands. Shorter: less
// late if he dies.
constexpr std::chrono::milliseconds forwarder_claim{2'000};

} // namespace

expected<forward_report> redis_broker::forward() {
  constexpr auto doing = "put delayed messages back";
  pipeline commands;
  commands.begin(15).arg("EVALSHA").arg(scripts::forward.sha).arg("4");
  commands.arg(keys_.unacked()).arg(keys_.unacked_index());
  commands.arg(keys_.delayed()).arg(keys_.forwarder());
  commands.arg(options_.node.str()).arg(messages_per_forward);
  commands.arg(static_cast<uint64_t>(look_interval.count()));
  commands.arg(static_cast<uint64_t>(forwarder_claim.count()));
  commands.arg(keys_.prefix()).arg(options_.sep);
  commands.arg(keys_.dead()).arg(options_.dead_letters_max);
  auto replies = main_->check(std::move(commands), doing);
  if (!replies)
    return replies.error();
  auto numbers = elements_of(*replies->front());
  if (numbers.size() != 2)
    return main_->broken(errc::unavailable, doing, "an unexpected reply");
  return forward_report{static_cast<size_t>(numbers[0]->integer),
                        std::chrono::milliseconds{numbers[1]->integer}};
}

expected<std::vector<turn>>
redis_broker::take_turns(std::span<const turn_request> batch) {
  constexpr auto doing = "ask for turns under a rate limit";
  std::vector<turn> result;
  if (batch.empty())
    return result;
  pipeline commands;
  commands.begin(3 + 4 * batch.size()).arg("EVALSHA").arg(scripts::rate.sha);
  commands.arg(batch.size());
  for (auto& x : batch)
    commands.arg(keys_.rate(x.limit));
  for (auto& x : batch) {
    commands.arg(static_cast<uint64_t>(x.rate.interval.count()));
    commands.arg(static_cast<uint64_t>(x.hold.count()));
    commands.arg(x.waited ? "1" : "0");
  }
  auto replies = main_->check(std::move(commands), doing);
  if (!replies)
    return replies.error();
  auto numbers = elements_of(*replies->front());
  if (numbers.size() != 2 * batch.size())
    return main_->broken(errc::unavailable, doing, "an unexpected reply");
  for (size_t i = 0; i < numbers.size(); i += 2)
    result.push_back({std::chrono::microseconds{numbers[i]->integer},
                      numbers[i + 1]->integer == 1});
  return result;
}

expected<std::vector<std::string>>
redis_broker::claim_keys(std::span<const key_claim> batch) {
  return redis::claim_keys(*main_, keys_, batch);
}

} // namespace umbel
