#include "protocol/schedule/redis/redis_once_publisher.hpp"

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/place.hpp"
#include "protocol/broker/redis/redis_broker.hpp"

namespace umbel::redis::scripts {

extern const script beat_once;

} // namespace umbel::redis::scripts

namespace umbel::schedule {

using namespace redis;

namespace {

class redis_once_publisher final : public once_publisher {
public:
  redis_once_publisher(std::unique_ptr<connection> link,
                       const broker_options& options)
      : connection_(std::move(link)), prefix_(options.global_keyprefix),
        places_(options, connection_->where().db) {
  }

  expected<void> publish(const std::string& schedule,
                         std::span<const item> items) override {
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

private:
  std::unique_ptr<connection> connection_;
  std::string prefix_;
  places places_;
};

} // namespace

expected<std::unique_ptr<once_publisher>>
open_redis_once_publisher(const std::string& broker_url,
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
    std::make_unique<redis_once_publisher>(std::move(*opened), options)};
}

} // namespace umbel::schedule
