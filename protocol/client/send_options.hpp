// How one task is to run: Celery's call options.
#pragma once

#include "protocol/canvas/signature.hpp"
#include "protocol/client/retry_policy.hpp"
#include "protocol/message/delivery_mode.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct send_options {
  using seconds = std::chrono::duration<double>;

  std::string task_id = {}; ///< empty: a fresh one
  std::optional<seconds> countdown = {};
  std::optional<timestamp> eta = {};
  std::optional<timestamp> expires = {};
  std::optional<seconds> expires_in = {}; ///< from when it is sent; or `expires`
  std::string queue = {}; ///< empty: by task_routes, or the default
  std::string exchange = {};
  std::string routing_key = {};
  std::optional<int> priority = {};
  std::string serializer = {};
  std::string compression = {};
  std::optional<umbel::delivery_mode> delivery_mode = {};
  std::optional<seconds> time_limit = {};
  std::optional<seconds> soft_time_limit = {};
  /// True: no result is stored, and `get` returns null at once.
  std::optional<bool> ignore_result = {};
  std::string shadow = {};
  std::string reply_to = {}; ///< empty: the app's own mailbox, if it has one
  json::object headers = {};
  std::vector<canvas::signature> link = {};
  std::vector<canvas::signature> link_error = {};

  // -- of publishing ------------------------------------------------------------

  std::optional<bool> retry = {}; ///< none: task_publish_retry
  std::optional<publish_retry_policy> retry_policy = {};
  bool add_to_parent = true; ///< within a task: it is among its children
};

/// Puts them into a signature's own, but for those of publishing.
void set_options(canvas::signature& x, const send_options& how);

/// What `how` says, and what `defaults` say where it says nothing.
send_options merge(const send_options& defaults, send_options how);

} // namespace umbel
