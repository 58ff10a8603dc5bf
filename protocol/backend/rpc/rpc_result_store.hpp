// Results as messages to whoever has sent the task: `rpc://` (contract section
// 6.3). They go through the broker that the worker consumes from, whichever that
// is, to the queue that the task's message names as reply_to, and are kept nowhere
// else.
#pragma once

#include "protocol/backend/result_store.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/message/content.hpp"

#include <string_view>

namespace umbel {

/// Whether results go to their clients' queues: "rpc://".
bool is_rpc(std::string_view url);

/// The message with a result, as Celery writes it: not persistent, with the task's
/// id as correlation id. @pre `x.reply_to` is not empty
outgoing_message make_reply(const result_record& x, serializer how);

/// Sends; nothing can be fetched. A record without reply_to is dropped, as in
/// Celery: nobody waits for it.
class rpc_result_store final : public result_store {
public:
  /// @param where outlives this
  /// @param how what the documents are written in
  rpc_result_store(broker& where, serializer how);

  std::string location() const override;
  expected<void> store(std::span<const result_record> batch) override;
  expected<std::optional<std::string>> fetch(const task_id& id) override;
  expected<void> forget(const task_id& id) override;

private:
  broker& where_;
  serializer how_;
};

} // namespace umbel
