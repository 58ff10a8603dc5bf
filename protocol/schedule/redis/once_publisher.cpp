#include "protocol/schedule/redis/once_publisher.hpp"

#include "protocol/broker/redis/redis_broker.hpp"

namespace umbel::redis::scripts {

extern const script beat_once;

} // namespace umbel::redis::scripts

namespace umbel::schedule {

using namespace redis;

namespace {

/// A beat that was killed is started again before that, or not at all.
constexpr std::chrono::seconds remembered = std::chrono::days{30};

} // namespace

expected<std::unique_ptr<once_publisher>>
once_publisher::open(const std::string& broker_url,
                     const broker_options& options) {
  auto url = parse_url(broker_url);
  auto where = url ? to_address(*url) : url.error();
  if (!where)
    return std::unique_ptr<once_publisher>{};
  auto how = timeouts_of(options);
  how.client_name = "umbel-beat";
  how.scripts = {&scripts::beat_once};
  auto opened = connection::open(*where, how);
  if (!opened)
    return opened.error();
  return std::unique_ptr<once_publisher>{
      new once_publisher{std::move(*opened), options}};
}

once_publisher::once_publisher(std::unique_ptr<connection> connection,
                               const broker_options& options)
    : connection_(std::move(connection)), prefix_(options.global_keyprefix),
      places_(options, connection_->where().db) {
}

expected<void> once_publisher::publish(const std::string& schedule,
                                       std::span<const item> items) {
  if (items.empty())
    return {};
  pipeline command;
  command.begin(5 + 4 * items.size());
  command.arg("EVALSHA").arg(scripts::beat_once.sha).arg("1");
  command.arg(prefix_ + "umbel.beat.sent." + schedule);
  command.arg(static_cast<uint64_t>(remembered.count()));
  for (auto& x : items)
    command.arg(x.series)
        .arg(std::to_string(x.number))
        .arg(places_.of(x.message.queue, x.message.priority))
        .arg(x.message.payload);
  auto replies = connection_->check(command, "publish periodic tasks");
  if (!replies)
    return replies.error();
  return {};
}

} // namespace umbel::schedule
