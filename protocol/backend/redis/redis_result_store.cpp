#include "protocol/backend/redis/redis_result_store.hpp"

#include <algorithm>

namespace umbel {

using namespace redis;

namespace redis::scripts {

extern const script store; // store.lua

} // namespace redis::scripts

namespace {

// Records in one call of the script: Redis serves nobody else meanwhile.
constexpr size_t records_per_call = 128;

} // namespace

namespace {

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
  connecting.scripts = {&scripts::store};
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
  auto x = main_->command({"GET", prefix_ + id.str()}, "fetch a result");
  if (!x)
    return x.error();
  if ((*x)->type == REDIS_REPLY_NIL)
    return std::optional<std::string>{};
  return std::optional<std::string>{text_of(**x)};
}

expected<void> redis_result_store::forget(const task_id& id) {
  auto x = main_->command({"DEL", prefix_ + id.str()}, "forget a result");
  if (!x)
    return x.error();
  return {};
}

} // namespace umbel
