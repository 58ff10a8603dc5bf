// The part of redis_broker that settles: turns settlements into the arguments
// of settle.lua.
#include "protocol/broker/redis/chord_steps.hpp"
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

using namespace redis;

namespace {

// Settlements in one call of the script. More: fewer calls, but Redis serves
// nobody else meanwhile, and Lua's unpack() takes no more than some thousands.
constexpr size_t settlements_per_call = 128;

bool goes_back(const settlement& x) {
  return x.how == disposition::requeue || x.how == disposition::restore;
}

std::string in_seconds(timestamp x) {
  auto count = x.time_since_epoch().count();
  return fmt::format("{}.{:06}", count / 1'000'000, std::abs(count % 1'000'000));
}

// The letters of settle.lua; `append` gives their values in the same order.
std::string steps_of(const settlement& x) {
  std::string result;
  if (x.how != disposition::none)
    result = 'f';
  else
    result = x.publish.empty() && !x.dead && x.workflow.empty() ? 'n' : 'o';
  if (x.result)
    result += 'R';
  result.append(x.workflow.results.size(), 'R');
  result.append(x.workflow.groups.size(), 'V');
  result.append(x.publish.size(), 'P');
  result.append(x.workflow.parts.size(), 'C');
  if (x.dead)
    result += 'D';
  if (goes_back(x))
    result += x.how == disposition::requeue ? 'P' : 'B';
  if (x.how == disposition::delay)
    result += x.payload ? "MZ" : "Z";
  if (x.how == disposition::none && x.payload)
    result += 'N';
  return result;
}

} // namespace

expected<std::vector<bool>>
redis_broker::settle(std::span<const settlement> batch) {
  constexpr auto doing = "settle messages";
  if (!stores_results_ && std::any_of(batch.begin(), batch.end(), [](auto& x) {
        return x.result.has_value() || !x.workflow.empty();
      }))
    return error{errc::unsupported, "the result store is not on " + location()
                                        + ": it cannot store with settling"};
  auto payloads = payloads_to_return(batch);
  if (!payloads)
    return payloads.error();
  pipeline commands;
  for (size_t i = 0; i < batch.size(); i += settlements_per_call) {
    auto size = std::min(settlements_per_call, batch.size() - i);
    append(commands, batch.subspan(i, size),
           std::span{*payloads}.subspan(i, size));
  }
  auto replies = main_->check(commands, doing);
  if (!replies)
    return replies.error();
  std::vector<bool> result;
  result.reserve(batch.size());
  for (auto& x : *replies)
    for (auto c : text_of(*x))
      result.push_back(c == '1');
  if (result.size() != batch.size())
    return main_->broken(errc::unavailable, doing, "an unexpected reply");
  return result;
}

// A message that goes back on its queue is marked as redelivered, so its text
// is needed first. Whether it is still ours then is up to the script.
expected<std::vector<std::string>>
redis_broker::payloads_to_return(std::span<const settlement> batch) {
  std::vector<std::string> result(batch.size());
  pipeline commands;
  for (size_t i = 0; i < batch.size(); ++i)
    if (auto& x = batch[i]; goes_back(x) && x.payload)
      result[i] = redelivered(*x.payload);
    else if (goes_back(x))
      commands.add({"HGET", keys_.unacked(), x.tag.str()});
  if (commands.size() == 0)
    return result;
  auto replies = main_->check(commands, "look up messages");
  if (!replies)
    return replies.error();
  size_t next = 0;
  for (size_t i = 0; i < batch.size(); ++i)
    if (goes_back(batch[i]) && !batch[i].payload)
      if (auto found = split_entry(text_of(*(*replies)[next++])))
        result[i] = redelivered(found->payload);
  return result;
}

void redis_broker::append(pipeline& commands, std::span<const settlement> batch,
                          std::span<const std::string> payloads) const {
  size_t words = 13;
  for (auto& x : batch)
    words += 2 * steps_of(x).size();
  commands.begin(words);
  commands.arg("EVALSHA").arg(scripts::settle.sha).arg("3");
  commands.arg(keys_.unacked()).arg(keys_.unacked_index());
  commands.arg(keys_.delayed());
  commands.arg(static_cast<uint64_t>(options_.results.result_expires.count()));
  commands.arg(keys_.settled()).arg(keys_.dead());
  commands.arg(options_.dead_letters_max);
  commands.arg(fmt::format(
      "{}", std::chrono::duration<double>(options_.visibility_timeout).count()));
  commands.arg(in_seconds(now())).arg(batch.size());
  for (size_t i = 0; i < batch.size(); ++i)
    append(commands, batch[i], payloads[i]);
}

void redis_broker::append(pipeline& commands, const settlement& x,
                          std::string_view payload) const {
  commands.arg(x.tag.str()).arg(steps_of(x));
  if (x.result)
    commands.arg(result_prefix_ + x.result->id.str()).arg(x.result->document);
  for (auto& more : x.workflow.results)
    commands.arg(result_prefix_ + more.id.str()).arg(more.document);
  chord_keys places{result_prefix_, group_prefix_, keys_};
  for (auto& group : x.workflow.groups)
    commands.arg(places.key_of(group)).arg(group.text);
  for (auto& message : x.publish)
    commands.arg(keys_.list(message.queue.str(), message.priority))
        .arg(message.payload);
  for (auto& part : x.workflow.parts)
    commands.arg(places.base_of(part)).arg(places.to_json_text(part));
  if (x.dead)
    commands.arg(keys_.dead(x.queue.str())).arg(to_text(*x.dead));
  if (goes_back(x))
    commands.arg(keys_.list(x.queue.str(), priority_of(payload))).arg(payload);
  auto stays = x.how == disposition::delay || x.how == disposition::none;
  if (stays && x.payload)
    commands.arg('[' + *x.payload + entry_ending(x.queue.str())).arg("");
  if (x.how == disposition::delay)
    commands.arg(std::to_string(keys_.step(x.priority))).arg(in_seconds(x.due));
}

} // namespace umbel
