// The part of redis_broker that recovers what others left: entries past the
// visibility timeout, and entries of incarnations whose lease is gone.
//
// Entries are read, edited here, and moved by restore.lua, which looks again
// whether each is still abandoned. So any number of nodes may do this at once.
// They go back newest first, so that the oldest of them is consumed next.
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>

namespace umbel {

using namespace redis;

namespace {

using clock = std::chrono::steady_clock;

constexpr auto recovering = "recover messages";

// Entries in one call of restore.lua, with their texts.
constexpr size_t entries_per_call = 100;

} // namespace

expected<recovery_report> redis_broker::recover() {
  recovery_report report;
  auto stale = recover_stale();
  if (!stale)
    return stale.error();
  report.restored = *stale;
  auto owners = dead_owners({});
  if (!owners)
    return owners.error();
  auto began = clock::now();
  for (auto& [incarnation, node] : *owners) {
    auto count = recover_owner(incarnation, node);
    if (!count)
      return count.error();
    report.restored += *count;
    report.dead_owners.push_back(incarnation);
    // With millions of messages that wait, each takes seconds in which nothing is
    // settled: the others have their turn at the next call.
    if (clock::now() - began > options_.lease / 4)
      break;
  }
  if (!report.dead_owners.empty())
    if (auto ok = dead_owners(report.dead_owners); !ok)
      return ok.error();
  for (size_t i = 0; i < report.dead_owners.size(); ++i)
    if (auto ok = end_fanout((*owners)[i].second, (*owners)[i].first); !ok)
      return ok.error();
  return report;
}

expected<size_t> redis_broker::recover_stale() {
  size_t restored = 0;
  auto seconds = std::to_string(
      std::chrono::duration<double>(options_.visibility_timeout).count());
  auto limit = std::to_string(entries_per_call);
  for (;;) {
    auto x =
        main_->command({"EVALSHA", scripts::stale.sha, "3", keys_.unacked(),
                        keys_.unacked_index(), keys_.delayed(), seconds, limit},
                       recovering);
    if (!x)
      return x.error();
    auto items = elements_of(**x);
    if (items.size() < 3)
      return restored;
    std::vector<tagged> entries;
    for (size_t i = 1; i + 1 < items.size(); i += 2)
      entries.push_back({text_of(*items[i]), text_of(*items[i + 1])});
    auto count = restore("stale", text_of(*items[0]), entries);
    if (!count)
      return count.error();
    restored += *count;
    // None: others are at it, and take the same ones.
    if (*count == 0)
      return restored;
  }
}

// Incarnation and node of each whose lease is gone, but never of this one:
// whoever runs this is alive.
expected<std::vector<std::pair<std::string, std::string>>>
redis_broker::dead_owners(std::span<const std::string> forget) {
  pipeline commands;
  commands.begin(5 + forget.size());
  commands.arg("EVALSHA").arg(scripts::dead_owners.sha).arg("1");
  commands.arg(keys_.incarnations()).arg(keys_.lease());
  for (auto& incarnation : forget)
    commands.arg(incarnation);
  auto replies = main_->check(std::move(commands), recovering);
  if (!replies)
    return replies.error();
  std::vector<std::pair<std::string, std::string>> result;
  auto items = elements_of(*replies->front());
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    if (text_of(*items[i]) != options_.incarnation)
      result.emplace_back(text_of(*items[i]), text_of(*items[i + 1]));
  return result;
}

expected<size_t> redis_broker::recover_owner(const std::string& incarnation,
                                             const std::string& node) {
  auto pattern = glob_escape(node + '/' + incarnation + '/') + '*';
  std::vector<reply> replies; // hold the texts
  std::vector<tagged> entries;
  std::string cursor = "0";
  do {
    // With millions of messages that wait in the ledger this takes seconds, in
    // which nobody else can renew the lease.
    pipeline commands;
    commands.add({"PEXPIRE", keys_.lease(options_.incarnation),
                  std::to_string(options_.lease.count())});
    commands.add(
        {"HSCAN", keys_.unacked(), cursor, "MATCH", pattern, "COUNT", "1000"});
    auto x = main_->check(std::move(commands), recovering);
    if (!x)
      return x.error();
    auto parts = elements_of(*x->back());
    if (parts.size() != 2)
      return main_->broken(errc::unavailable, recovering, "an unexpected reply");
    cursor = text_of(*parts[0]);
    auto items = elements_of(*parts[1]);
    for (size_t i = 0; i + 1 < items.size(); i += 2)
      entries.push_back({text_of(*items[i]), text_of(*items[i + 1])});
    replies.push_back(std::move(x->back()));
  } while (cursor != "0");
  // The tags differ in their numbers alone, and a longer number is a later one.
  std::sort(entries.begin(), entries.end(), [](auto& x, auto& y) {
    return std::pair{x.tag.size(), x.tag} > std::pair{y.tag.size(), y.tag};
  });
  size_t restored = 0;
  for (size_t i = 0; i < entries.size(); i += entries_per_call) {
    auto size = std::min(entries_per_call, entries.size() - i);
    auto count = restore("dead", keys_.lease(incarnation),
                         std::span{entries}.subspan(i, size));
    if (!count)
      return count.error();
    restored += *count;
  }
  return restored;
}

expected<size_t> redis_broker::restore(std::string_view condition,
                                       std::string_view value,
                                       std::span<const tagged> entries) {
  std::vector<std::vector<step>> work;
  size_t words = 9;
  for (auto& x : entries) {
    auto steps = steps_for(x.entry);
    if (!steps)
      return steps.error();
    words += 2 + 2 * steps->size();
    work.push_back(std::move(*steps));
  }
  pipeline commands;
  commands.begin(words);
  commands.arg("EVALSHA").arg(scripts::restore.sha).arg("2");
  commands.arg(keys_.unacked()).arg(keys_.unacked_index());
  commands.arg(condition).arg(value);
  commands.arg(keys_.dead()).arg(options_.dead_letters_max);
  for (size_t i = 0; i < work.size(); ++i) {
    std::string letters;
    for (auto& x : work[i])
      letters += x.letter;
    commands.arg(entries[i].tag).arg(letters);
    for (auto& x : work[i])
      commands.arg(x.list).arg(x.text);
  }
  auto replies = main_->check(std::move(commands), recovering);
  if (!replies)
    return replies.error();
  return static_cast<size_t>(replies->front()->integer);
}

// Where an entry belongs: the queue it came from, or what a Python peer's
// exchange and routing key lead to. What leads nowhere is parked, not lost.
expected<std::vector<redis_broker::step>>
redis_broker::steps_for(std::string_view text) {
  auto parked = [&](std::string_view queue, std::string reason,
                    std::string_view payload) {
    return std::vector<step>{
        {'D', keys_.dead(queue),
         to_text(dead_letter{std::move(reason), std::string{payload}})}};
  };
  auto x = split_entry(text);
  if (!x)
    return parked("unacked", "not an entry of unacknowledged messages", text);
  std::vector<std::string> queues{x->routing_key};
  if (!x->exchange.empty()) {
    auto found = route(x->exchange, x->routing_key);
    if (!found)
      return found.error();
    queues = std::move(*found);
  }
  if (queues.empty() || queues.front().empty())
    return parked(x->routing_key.empty() ? x->exchange : x->routing_key,
                  "no queue is bound to exchange \"" + x->exchange
                      + "\" for routing key \"" + x->routing_key + '"',
                  x->payload);
  std::vector<step> result;
  auto priority = priority_of(x->payload);
  auto message = redelivered(x->payload);
  for (auto& queue : queues)
    result.push_back({'B', keys_.list(queue, priority), message});
  return result;
}

} // namespace umbel
