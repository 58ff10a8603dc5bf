// The part of redis_broker that looks at the lists of dead letters, and takes
// from them.
#include "protocol/broker/dead_letter.hpp"
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"

#include <algorithm>

namespace umbel {

using namespace redis;

namespace {

// Of one call of the script: each is looked for from the list's beginning.
constexpr size_t letters_per_call = 50;

} // namespace

expected<std::vector<dead_letter>>
redis_broker::dead_letters(const queue_name& queue, size_t max) {
  std::vector<dead_letter> result;
  if (max == 0)
    return result;
  auto x = main_->command(
      {"LRANGE", keys_.dead(queue.str()), "0", std::to_string(max - 1)},
      "read dead letters");
  if (!x)
    return x.error();
  for (auto* item : elements_of(**x))
    result.push_back(parse_dead_letter(text_of(*item)));
  return result;
}

// A walk through all keys: for people, not for workers.
expected<std::vector<queue_name>> redis_broker::dead_queues() {
  std::vector<queue_name> result;
  auto pattern = glob_escape(keys_.dead()) + '*';
  std::string cursor = "0";
  do {
    auto x = main_->command({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000",
                             "TYPE", "list"},
                            "look for dead letters");
    if (!x)
      return x.error();
    auto parts = elements_of(**x);
    if (parts.size() != 2)
      return main_->broken(errc::unavailable, "look for dead letters",
                           "an unexpected reply");
    cursor = text_of(*parts[0]);
    for (auto* key : elements_of(*parts[1]))
      result.emplace_back(
        std::string{text_of(*key).substr(keys_.dead().size())});
  } while (cursor != "0");
  std::ranges::sort(result);
  auto twice = std::ranges::unique(result); // SCAN may show a key again
  result.erase(twice.begin(), twice.end());
  return result;
}

expected<size_t> redis_broker::take_dead(const queue_name& queue,
                                         std::span<const std::string> ids,
                                         dead_fate fate) {
  constexpr auto doing = "take dead letters";
  auto key = keys_.dead(queue.str());
  auto x = main_->command({"LRANGE", key, "0", "-1"}, doing);
  if (!x)
    return x.error();
  std::vector<std::string_view> texts; // the oldest first
  for (auto* item : elements_of(**x))
    if (auto id = dead_letter_id(text_of(*item));
        std::ranges::find(ids, id) != ids.end())
      texts.insert(texts.begin(), text_of(*item));
  size_t taken = 0;
  for (size_t i = 0; i < texts.size(); i += letters_per_call) {
    auto some = std::span{texts}.subspan(
      i, std::min(letters_per_call, texts.size() - i));
    pipeline commands;
    commands.begin(6 + 3 * some.size());
    commands.arg("EVALSHA").arg(scripts::take_dead.sha).arg("1").arg(key);
    commands.arg(keys_.dead()).arg(options_.dead_letters_max);
    for (auto text : some) {
      outgoing_message message;
      if (fate == dead_fate::replay)
        message = replayed(queue, parse_dead_letter(text).payload);
      commands.arg(text)
        .arg(fate == dead_fate::replay
               ? keys_.list(queue.str(), message.priority)
               : "")
        .arg(message.payload);
    }
    auto replies = main_->check(commands, doing);
    if (!replies)
      return replies.error();
    taken += static_cast<size_t>(replies->front()->integer);
  }
  return taken;
}

} // namespace umbel
