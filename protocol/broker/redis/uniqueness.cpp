#include "protocol/broker/redis/uniqueness.hpp"

#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace umbel::redis {

expected<void> publish_checked(connection& main, const keys& names,
                               std::span<const std::string> where,
                               const std::string& payload,
                               const unique_terms& terms) {
  pipeline commands;
  commands.begin(9 + where.size()).arg("EVALSHA");
  commands.arg(scripts::publish_once.sha).arg("2");
  commands.arg(names.unique(terms.key)).arg(names.published(terms.id));
  commands.arg(payload).arg(terms.id);
  commands.arg(terms.key.empty() ? "0"
                                 : std::to_string(terms.held_for.count()));
  commands.arg(std::to_string(terms.once.count()));
  for (auto& place : where)
    commands.arg(place);
  auto replies = main.check(commands, "publish a unique message");
  if (!replies)
    return replies.error();
  if (auto holder = text_of(*replies->front()); !holder.empty())
    return error{errc::duplicate, describe_duplicate(terms, holder)};
  return {};
}

expected<std::vector<std::string>> claim_keys(connection& main,
                                              const keys& names,
                                              std::span<const key_claim> batch) {
  if (batch.empty())
    return std::vector<std::string>{};
  pipeline commands;
  commands.begin(3 + 3 * batch.size());
  commands.arg("EVALSHA").arg(scripts::claim.sha).arg(batch.size());
  for (auto& x : batch)
    commands.arg(names.unique(x.wanted.key));
  for (auto& x : batch)
    commands.arg(x.wanted.id).arg(
      static_cast<uint64_t>(std::max<int64_t>(x.held_for.count(), 1)));
  auto replies = main.check(commands, "take the keys of unique tasks");
  if (!replies)
    return replies.error();
  std::vector<std::string> holders;
  for (auto* holder : elements_of(*replies->front()))
    holders.emplace_back(text_of(*holder));
  if (holders.size() != batch.size())
    return main.broken(errc::unavailable, "take the keys of unique tasks",
                       "an unexpected reply");
  return holders;
}

} // namespace umbel::redis
