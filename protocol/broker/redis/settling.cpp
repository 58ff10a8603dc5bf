#include "protocol/broker/redis/settling.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/redis/binding.hpp"
#include "protocol/broker/redis/chord_steps.hpp"
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/entry.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace umbel::redis {

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
std::string steps_of(const settlement& x, size_t published) {
  std::string result;
  if (x.how != disposition::none)
    result = 'f';
  else
    result = x.publish.empty() && !x.dead && x.workflow.empty() ? 'n' : 'o';
  if (x.release)
    result += 'U';
  if (x.result)
    result += 'R';
  result.append(x.workflow.results.size(), 'R');
  for (auto& group : x.workflow.groups)
    result += chord_keys::step_of(group);
  result.append(published, 'P');
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

/// The exchanges that messages go through, and queues that are to be bound.
using ways = std::map<std::string, std::set<queue_name>>;

template <class Messages>
void add_ways(ways& to, const Messages& messages) {
  for (auto& x : messages)
    if (!x.exchange.empty()) {
      auto& queues = to[x.exchange];
      if (!x.queue.empty())
        queues.insert(x.queue);
    }
}

void add_ways(ways& to, const chord_part& x) {
  add_ways(to, x.body);
  add_ways(to, x.unlock);
  add_ways(to, x.errbacks);
  for (auto& outer : x.outer)
    add_ways(to, outer);
}

ways ways_of(std::span<const settlement> batch) {
  ways to;
  for (auto& x : batch) {
    add_ways(to, x.publish);
    for (auto& part : x.workflow.parts)
      add_ways(to, part);
  }
  return to;
}

} // namespace

// -- settlement_words -----------------------------------------------------------

settlement_words::settlement_words(const broker_options& options,
                                   const places& where)
    : keys_(options), places_(where), options_(options),
      expires_(std::to_string(options.results.result_expires.count())),
      result_prefix_(result_key_prefix(options.results)),
      group_prefix_(group_key_prefix(options.results)),
      dead_letters_max_(std::to_string(options.dead_letters_max)),
      visibility_(fmt::format(
          "{}",
          std::chrono::duration<double>(options.visibility_timeout).count())) {
}

// A message that goes back on its queue is marked as redelivered, so its text
// is needed first. Whether it is still ours then is up to the script.
pipeline settlement_words::lookups(std::span<const settlement> batch) const {
  pipeline result;
  for (auto& x : batch)
    if (goes_back(x) && !x.payload)
      result.add({"HGET", keys_.unacked(), x.tag.str()});
  auto used = ways_of(batch);
  for (auto& [exchange, queues] : used)
    for (auto& queue : queues) {
      if (broadcast_address(options_, queue.str()))
        continue; // each node has one of its own
      auto way = binding_of(options_, queue.str());
      for (auto& member : binding_members(way, queue.str(), options_.sep))
        result.add({"SADD", keys_.binding(way.exchange), member});
    }
  for (auto& [exchange, queues] : used)
    result.add({"SMEMBERS", keys_.binding(exchange)});
  return result;
}

settlement_words::knowledge
settlement_words::known(std::span<const settlement> batch,
                        std::span<const reply> found) {
  knowledge result;
  result.texts.resize(batch.size());
  size_t next = 0;
  for (size_t i = 0; i < batch.size(); ++i)
    if (auto& x = batch[i]; goes_back(x) && x.payload)
      result.texts[i] = redelivered(*x.payload);
    else if (goes_back(x) && next < found.size())
      if (auto entry = split_entry(text_of(*found[next++])))
        result.texts[i] = redelivered(entry->payload);
  auto used = ways_of(batch);
  auto members = found.last(std::min(used.size(), found.size()));
  for (auto& [exchange, queues] : used) {
    if (members.empty())
      break;
    auto& to = result.bindings[exchange];
    for (auto* x : elements_of(*members.front()))
      to.emplace_back(text_of(*x));
    members = members.subspan(1);
  }
  return result;
}

/// Where a message goes.
std::vector<std::string>
settlement_words::places_of(const queue_name& queue, int priority,
                           const std::string& exchange,
                           const std::string& routing_key,
                           const knowledge& known) const {
  if (exchange.empty())
    return {places_.of(queue, priority)};
  if (auto all = places_.through(exchange, routing_key))
    return {std::move(*all)};
  std::vector<std::string> to;
  auto bound = known.bindings.find(exchange);
  if (bound == known.bindings.end())
    return to;
  std::vector<std::string_view> members(bound->second.begin(),
                                        bound->second.end());
  for (auto& one : route(members, options_.sep, routing_key))
    to.push_back(keys_.list(one, priority));
  return to;
}

pipeline settlement_words::calls(std::span<const settlement> batch,
                                 const knowledge& known) const {
  pipeline result;
  std::span<const std::string> texts{known.texts};
  for (size_t i = 0; i < batch.size(); i += settlements_per_call) {
    auto size = std::min(settlements_per_call, batch.size() - i);
    append(result, batch.subspan(i, size), texts.subspan(i, size), known);
  }
  return result;
}

size_t settlement_words::published(const settlement& x,
                                   const knowledge& known) const {
  if (known.bindings.empty())
    return x.publish.size();
  size_t count = 0;
  for (auto& y : x.publish)
    count += places_of(y.queue, y.priority, y.exchange, y.routing_key, known).size();
  return count;
}

void settlement_words::append(pipeline& commands,
                              std::span<const settlement> batch,
                              std::span<const std::string> texts,
                              const knowledge& known) const {
  size_t words = 13;
  for (auto& x : batch)
    words += 2 * steps_of(x, published(x, known)).size();
  commands.begin(words);
  commands.arg("EVALSHA").arg(scripts::settle.sha).arg("3");
  commands.arg(keys_.unacked()).arg(keys_.unacked_index());
  commands.arg(keys_.delayed());
  commands.arg(expires_).arg(keys_.settled()).arg(keys_.dead());
  commands.arg(dead_letters_max_).arg(visibility_);
  commands.arg(in_seconds(now())).arg(batch.size());
  for (size_t i = 0; i < batch.size(); ++i)
    append(commands, batch[i], texts[i], known);
}

void settlement_words::append(pipeline& commands, const settlement& x,
                              std::string_view text,
                              const knowledge& known) const {
  commands.arg(x.tag.str()).arg(steps_of(x, published(x, known)));
  if (x.release)
    commands.arg(keys_.unique(x.release->key)).arg(x.release->id);
  if (x.result)
    commands.arg(result_prefix_ + x.result->id.str()).arg(x.result->document);
  for (auto& more : x.workflow.results)
    commands.arg(result_prefix_ + more.id.str()).arg(more.document);
  chord_keys names{result_prefix_, group_prefix_,
                   [&](const gapped_message& y) {
                     return places_of(y.queue, y.priority, y.exchange,
                                      y.routing_key, known);
                   }};
  for (auto& group : x.workflow.groups)
    commands.arg(names.key_of(group)).arg(group.text);
  for (auto& message : x.publish)
    for (auto& place : places_of(message.queue, message.priority,
                               message.exchange, message.routing_key, known))
      commands.arg(place).arg(message.payload);
  for (auto& part : x.workflow.parts)
    commands.arg(names.base_of(part)).arg(names.to_json_text(part));
  if (x.dead)
    commands.arg(keys_.dead(x.queue.str())).arg(to_text(*x.dead));
  if (goes_back(x))
    commands.arg(keys_.list(x.queue.str(), priority_of(text))).arg(text);
  auto stays = x.how == disposition::delay || x.how == disposition::none;
  if (stays && x.payload)
    commands.arg('[' + *x.payload + entry_ending(x.queue.str())).arg("");
  if (x.how == disposition::delay)
    commands.arg(std::to_string(keys_.step(x.priority))).arg(in_seconds(x.due));
}

// -- settling -------------------------------------------------------------------

settling::settling(const settlement_words& words, connection& where,
                   std::span<const settlement> batch)
    : words_(words), where_(where), batch_(batch) {
  auto lookups = words.lookups(batch);
  looking_up_ = lookups.size() > 0;
  if (looking_up_)
    under_way_.emplace(where, std::move(lookups), "look up messages");
  else
    call({});
}

void settling::call(std::span<const reply> found) {
  looking_up_ = false;
  auto commands = words_.calls(batch_, words_.known(batch_, found));
  under_way_.emplace(where_, std::move(commands), doing);
}

expected<std::optional<std::vector<bool>>> settling::next() {
  if (auto ok = under_way_->check(); !ok)
    return ok.error();
  if (!looking_up_)
    return effects();
  auto found = std::move(under_way_->replies());
  call(found);
  return std::optional<std::vector<bool>>{};
}

expected<std::vector<bool>> settling::finish() {
  for (;;) {
    if (auto ok = under_way_->finish(); !ok)
      return ok.error();
    auto result = next();
    if (!result)
      return result.error();
    if (*result)
      return std::move(**result);
  }
}

expected<std::optional<std::vector<bool>>> settling::effects() {
  std::vector<bool> result;
  result.reserve(batch_.size());
  for (auto& x : under_way_->replies())
    for (auto c : text_of(*x))
      result.push_back(c == '1');
  if (result.size() != batch_.size())
    return where_.broken(errc::unavailable, doing, "an unexpected reply");
  return std::optional{std::move(result)};
}

} // namespace umbel::redis
