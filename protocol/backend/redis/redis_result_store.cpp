#include "protocol/backend/redis/redis_result_store.hpp"

#include "protocol/broker/redis/chord_steps.hpp"
#include "protocol/message/json.hpp"

#include <algorithm>
#include <cstdlib>

namespace umbel {

using namespace redis;

namespace redis::scripts {

extern const script store; // store.lua
extern const script count; // count.lua
extern const script finish; // finish.lua

} // namespace redis::scripts

namespace {

// Records in one call of the script: Redis serves nobody else meanwhile.
constexpr size_t records_per_call = 128;

std::optional<std::string> text_or_nothing(const redisReply& x) {
  if (x.type == REDIS_REPLY_NIL)
    return std::nullopt;
  return std::string{text_of(x)};
}

/// What finish.lua needs of a part: its chord, and those that its failure may have
/// ended.
void add_chords(std::vector<std::string>& to, const std::string& prefix,
                const chord_part& x) {
  to.push_back(prefix + x.group);
  to.push_back(begin_of_member(x));
  for (auto& outer : x.outer)
    add_chords(to, prefix, outer);
}

std::string global_prefix(const result_store_options& options) {
  auto result = options.global_keyprefix;
  if (!result.empty()
      && std::string_view{":_-."}.find(result.back()) == std::string_view::npos)
    result += '_';
  return result;
}

} // namespace

std::string result_key_prefix(const result_store_options& options) {
  return global_prefix(options) + "celery-task-meta-";
}

std::string group_key_prefix(const result_store_options& options) {
  return global_prefix(options) + "celery-taskset-meta-";
}

expected<std::unique_ptr<result_store>>
connect_redis_result_store(const std::string& url,
                           const result_store_options& options) {
  connection_options connecting;
  connecting.connect_timeout = options.connect_timeout;
  connecting.socket_timeout = options.socket_timeout;
  connecting.scripts = {&scripts::store, &scripts::count, &scripts::finish};
  auto main = connection::open(url, connecting);
  if (!main)
    return main.error();
  std::unique_ptr<result_store> result =
      std::make_unique<redis_result_store>(std::move(*main), options);
  return result;
}

redis_result_store::redis_result_store(std::unique_ptr<connection> main,
                                       const result_store_options& options)
    : main_(std::move(main)), prefix_(result_key_prefix(options)),
      group_prefix_(group_key_prefix(options)),
      expires_(std::to_string(options.result_expires.count())) {
}

std::string redis_result_store::location() const {
  return main_->where().str();
}

expected<void> redis_result_store::store(std::span<const result_record> batch) {
  pipeline commands;
  while (!batch.empty()) {
    auto some = batch.first(std::min(batch.size(), records_per_call));
    batch = batch.subspan(some.size());
    commands.begin(4 + 2 * some.size());
    commands.arg("EVALSHA").arg(scripts::store.sha).arg("0").arg(expires_);
    for (auto& x : some)
      commands.arg(prefix_ + x.id.str()).arg(x.document);
  }
  auto replies = main_->check(commands, "store results");
  if (!replies)
    return replies.error();
  return {};
}

expected<std::optional<std::string>>
redis_result_store::fetch(const task_id& id) {
  return read(prefix_ + id.str(), "fetch a result");
}

expected<std::vector<std::optional<std::string>>>
redis_result_store::fetch_all(std::span<const task_id> ids) {
  pipeline commands;
  while (!ids.empty()) {
    auto some = ids.first(std::min(ids.size(), records_per_call));
    ids = ids.subspan(some.size());
    commands.begin(1 + some.size()).arg("MGET");
    for (auto& id : some)
      commands.arg(prefix_ + id.str());
  }
  auto replies = main_->check(commands, "fetch results");
  if (!replies)
    return replies.error();
  std::vector<std::optional<std::string>> to;
  for (auto& answer : *replies)
    for (auto* x : elements_of(*answer))
      to.push_back(text_or_nothing(*x));
  return to;
}

expected<void> redis_result_store::forget(const task_id& id) {
  return erase(prefix_ + id.str(), "forget a result");
}

expected<std::optional<std::string>>
redis_result_store::fetch_group(const std::string& id) {
  return read(group_prefix_ + id, "fetch a group");
}

expected<void> redis_result_store::forget_group(const std::string& id) {
  return erase(group_prefix_ + id, "forget a group");
}

expected<std::optional<std::string>>
redis_result_store::read(const std::string& key, const char* doing) {
  auto x = main_->command({"GET", key}, doing);
  if (!x)
    return x.error();
  return text_or_nothing(**x);
}

expected<void> redis_result_store::erase(const std::string& key,
                                         const char* doing) {
  auto x = main_->command({"DEL", key}, doing);
  if (!x)
    return x.error();
  return {};
}

expected<std::vector<std::vector<gapped_message>>>
redis_result_store::count(std::span<const group_record> groups,
                          std::span<const chord_part> parts) {
  // The script has no use for queues: it gives back what it is given.
  auto place_of = [](const gapped_message& x) {
    const json::array place{json::value(x.queue.str()), x.priority,
                            json::value(x.exchange), json::value(x.routing_key)};
    return std::vector{json::serialize(place)};
  };
  chord_keys names{prefix_, group_prefix_, place_of};
  pipeline command;
  command.begin(5 + 3 * groups.size() + 2 * parts.size());
  command.arg("EVALSHA").arg(scripts::count.sha).arg("0").arg(expires_);
  command.arg(groups.size());
  for (auto& x : groups)
    command.arg(std::string(1, chord_keys::step_of(x)))
        .arg(names.key_of(x))
        .arg(x.text);
  for (auto& x : parts)
    command.arg(names.base_of(x)).arg(names.to_json_text(x));
  auto replies = main_->check(command, "count parts of chords");
  if (!replies)
    return replies.error();
  std::vector<std::vector<gapped_message>> result;
  for (auto* part : elements_of(*replies->front())) {
    auto& messages = result.emplace_back();
    auto words = elements_of(*part);
    for (size_t i = 0; i + 1 < words.size(); i += 2) {
      auto place = json::parse(text_of(*words[i]));
      auto text = [&](size_t n) {
        return std::string{place.at(n).as_string()};
      };
      messages.push_back({queue_name{text(0)}, place.at(1).to_number<int>(),
                          {std::string{text_of(*words[i + 1])}}, text(2),
                          text(3)});
    }
  }
  result.resize(parts.size());
  return result;
}

expected<void>
redis_result_store::finish(std::span<const chord_part> parts) {
  std::vector<std::string> words;
  for (auto& x : parts)
    add_chords(words, group_prefix_, x);
  pipeline commands;
  commands.begin(3 + words.size());
  commands.arg("EVALSHA").arg(scripts::finish.sha).arg("0");
  for (auto& word : words)
    commands.arg(word);
  auto replies = main_->check(commands, "forget a chord's parts");
  if (!replies)
    return replies.error();
  return {};
}

} // namespace umbel
