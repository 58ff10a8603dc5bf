// A request: one reserved message and what is known of it (Celery's term).
#pragma once

#include "actors/pool/job.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/settings.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace umbel {

inline std::shared_ptr<const runner_settings> default_runner_settings() {
  static const auto result = std::make_shared<const runner_settings>();
  return result;
}

struct request {
  delivery_tag tag;
  queue_name queue;
  std::shared_ptr<const std::string> payload;
  task_header header;
  task_options task; ///< the task's options over the worker's settings
  /// How what the worker itself writes of its end is written.
  std::shared_ptr<const runner_settings> settings = default_runner_settings();
  bool acked = false; ///< acknowledged early; the tag is out of the ledger
  /// When its run began, a few milliseconds late; nothing while it waits.
  std::optional<std::chrono::steady_clock::time_point> begun;
  bool held = false;  ///< waits here for its time
  timestamp due{};    ///< while it is held: that time
  bool asking = false; ///< for its turn under a rate limit that all nodes share
  bool waited = false; ///< was told to ask again for its turn
  bool has_turn = false; ///< may begin, as far as rate limits are concerned
  std::optional<unique_terms> unique; ///< nothing: as many as come
  bool claiming = false; ///< asks for the key of a unique task
  bool has_key = false;  ///< has got it
  size_t deliveries = 0; ///< noted in the ledger: it begins for the n-th time
  bool noting = false;   ///< waits until that is noted
  bool terminated = false; ///< revoked while it ran: its end is not its own
  int signal = 0;          ///< which ends it then
  bool told_start = false; ///< the event of its start was sent
  /// The hard time limit that it is over; its child is being killed.
  std::optional<std::chrono::milliseconds> over_limit;

  /// Waits for an answer of the broker, without which it cannot begin.
  bool waits_for_broker() const noexcept {
    return asking || noting || claiming;
  }

  /// "tasks.add[id]", as Celery's logs name it.
  std::string display_name() const {
    auto& name = header.shadow.empty() ? header.task : header.shadow;
    return name + "[" + header.id.str() + "]";
  }
};

/// The message's limits over the task's over the worker's. Zero says nothing,
/// as with Celery.
inline time_limits limits_of(const task_header& message,
                             const task_options& task,
                             const time_limits& worker) {
  using limit = std::optional<std::chrono::milliseconds>;
  auto first = [](limit x, limit y, std::chrono::milliseconds last) {
    if (x && x->count() > 0)
      return *x;
    return y && y->count() > 0 ? *y : last;
  };
  return {
    first(message.soft_time_limit, task.soft_time_limit, worker.soft),
    first(message.time_limit, task.time_limit, worker.hard),
  };
}

} // namespace umbel
