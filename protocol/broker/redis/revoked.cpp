// The part of redis_broker that keeps what was revoked: a sorted set of ids by the
// time of their revocation, in whole microseconds.
#include "protocol/broker/redis/redis_broker.hpp"

#include <algorithm>
#include <charconv>

namespace umbel {

using namespace redis;

namespace {

constexpr size_t tasks_per_command = 1'000;

std::string to_score(timestamp x) {
  return std::to_string(x.time_since_epoch().count());
}

timestamp from_score(std::string_view text) {
  double x = 0; // sixteen digits: exact
  std::from_chars(text.data(), text.data() + text.size(), x);
  return timestamp{std::chrono::microseconds{static_cast<int64_t>(x)}};
}

} // namespace

expected<void>
redis_broker::remember_revoked(std::span<const revoked_task> tasks) {
  if (tasks.empty())
    return {};
  pipeline commands;
  auto key = keys_.revoked();
  for (size_t i = 0; i < tasks.size(); i += tasks_per_command) {
    auto some
      = tasks.subspan(i, std::min(tasks_per_command, tasks.size() - i));
    commands.begin(3 + 2 * some.size());
    commands.arg("ZADD").arg(key).arg("GT");
    for (auto& x : some)
      commands.arg(to_score(x.time)).arg(x.id.str());
  }
  commands.add({"ZREMRANGEBYSCORE", key, "-inf", to_score(now() - revoked_for)});
  commands.add({"ZREMRANGEBYRANK", key, "0",
                std::to_string(-static_cast<int64_t>(revoked_max) - 1)});
  commands.add({"EXPIRE", key,
                std::to_string(std::chrono::seconds{revoked_for}.count())});
  auto replies = main_->check(commands, "remember revoked tasks");
  if (!replies)
    return replies.error();
  return {};
}

expected<std::vector<revoked_task>> redis_broker::revoked() {
  auto x = main_->command({"ZRANGE", keys_.revoked(),
                           to_score(now() - revoked_for), "+inf", "BYSCORE",
                           "WITHSCORES"},
                          "read revoked tasks");
  if (!x)
    return x.error();
  std::vector<revoked_task> result;
  auto items = elements_of(**x);
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    result.push_back({task_id{std::string{text_of(*items[i])}},
                      from_score(text_of(*items[i + 1]))});
  return result;
}

} // namespace umbel
