// Results on Redis as Celery's clients expect them (contract section 6.2): key
// `celery-task-meta-<id>`, and a message on the channel of the same name, which
// wakes `AsyncResult.get`.
#pragma once

#include "protocol/backend/workflow_store.hpp"
#include "protocol/broker/redis/connection.hpp"

#include <memory>

namespace umbel {

/// What stands before a task's id in the key of its result: Celery's (5.5 and
/// newer) adds `_` to a global prefix that does not end in one of `:_-.`.
std::string result_key_prefix(const result_store_options& options);

/// The same for a group's id.
std::string group_key_prefix(const result_store_options& options);

/// Connects to a Redis URL; `invalid_setting` if it is none.
expected<std::unique_ptr<result_store>>
connect_redis_result_store(const std::string& url,
                           const result_store_options& options);

class redis_result_store final : public result_store, public workflow_store {
public:
  /// @param main is logged in and has its scripts loaded.
  redis_result_store(std::unique_ptr<redis::connection> main,
                     const result_store_options& options);

  std::string location() const override;
  expected<void> store(std::span<const result_record> batch) override;
  expected<std::optional<std::string>> fetch(const task_id& id) override;
  expected<std::vector<std::optional<std::string>>>
  fetch_all(std::span<const task_id> ids) override;
  expected<void> forget(const task_id& id) override;
  expected<std::optional<std::string>>
  fetch_group(const std::string& id) override;
  expected<void> forget_group(const std::string& id) override;
  expected<std::vector<std::vector<gapped_message>>>
  count(std::span<const group_record> groups,
        std::span<const chord_part> parts) override;
  expected<void> finish(std::span<const chord_part> parts) override;

private:
  expected<std::optional<std::string>> read(const std::string& key,
                                            const char* doing);
  expected<void> erase(const std::string& key, const char* doing);

  std::unique_ptr<redis::connection> main_;
  std::string prefix_;
  std::string group_prefix_;
  std::string expires_; // in seconds
};

} // namespace umbel
