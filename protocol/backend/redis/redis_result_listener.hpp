// Results on Redis as they come: a subscription to the channels that Celery's
// clients listen to, `celery-task-meta-<id>`.
#pragma once

#include "protocol/backend/result_listener.hpp"
#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/wake_event.hpp"

#include <memory>
#include <string>

namespace umbel {

/// Connects to a Redis URL; `invalid_setting` if it is none.
expected<std::unique_ptr<result_listener>>
connect_redis_result_listener(const std::string& url,
                              const result_store_options& options);

class redis_result_listener final : public result_listener {
public:
  redis_result_listener(std::unique_ptr<redis::connection> main,
                        wake_event wake, std::string prefix);

  expected<void> subscribe(std::span<const task_id> ids) override;
  expected<void> unsubscribe(std::span<const task_id> ids) override;
  expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) override;
  void interrupt() noexcept override;

private:
  /// Sends one command for all ids and reads its confirmations, one for each.
  expected<void> command(const char* name, std::span<const task_id> ids);

  /// Keeps it if it is a message.
  void take(const redisReply& x);

  std::unique_ptr<redis::connection> main_;
  wake_event wake_;
  std::string prefix_;
  std::vector<result_record> arrived_;
};

} // namespace umbel
