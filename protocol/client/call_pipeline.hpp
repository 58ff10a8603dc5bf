// Sends one task over and over, as quickly as a broker takes it:
//
//     auto calls = add.pipeline();
//     for (int i = 0; i < 100'000; ++i)
//       calls.delay(i, i);
//     calls.flush();
//
//  1. The message is made once, with its route and its options; a call fills in its
//     id and its arguments. (Where something depends on the call, such as a countdown,
//     each message is made for itself.)
//  2. Calls are collected and published many at a time, when there are enough of
//     them, and by `flush`. No call waits for its own.
//
// Used by one thread at a time. Made within a task, its calls are that task's
// children.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/client/async_result.hpp"
#include "protocol/client/retry_policy.hpp"
#include "protocol/message/message_template.hpp"
#include "protocol/task/to_json.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct send_options;

class call_pipeline {
public:
  /// @throws umbel::exception ValueError if `how` names a task_id
  call_pipeline(std::shared_ptr<app_core> core, std::string task,
                const send_options& how);

  call_pipeline(call_pipeline&&) = default;

  /// Publishes what is left in the one that it replaces, as the destructor does.
  call_pipeline& operator=(call_pipeline&&);

  /// Publishes what is left. What cannot be published is lost without a word: call
  /// `flush` before.
  ~call_pipeline();

  /// @throws as `flush`, for any of the calls before it
  async_result send(const json::array& args);

  /// Publishes what was collected, and waits until the broker has it.
  /// @throws umbel::exception OperationalError; what was collected stays.
  ///         TaskRevokedError for unique tasks that are there already; all others
  ///         are sent then
  void flush();

private:
  void publish_rest() noexcept;

  std::shared_ptr<app_core> core_;
  canvas::signature call_; ///< without arguments
  publish_retry_policy retry_;
  bool ignored_ = false;
  std::optional<outgoing_message> made_; ///< where they go; without a payload
  std::optional<message_template> form_; ///< empty: each is made for itself
  std::vector<outgoing_message> waiting_;
  size_t bytes_ = 0; ///< of `waiting_`
};

/// The same for the arguments of a task with a type.
template <class F>
class task_pipeline;

template <class R, class... Ps>
class task_pipeline<R(Ps...)> {
public:
  explicit task_pipeline(call_pipeline to) : to_(std::move(to)) {
  }

  typed_result<R> delay(const Ps&... args) {
    return typed_result<R>{to_.send({to_json_value(args)...})};
  }

  void flush() {
    to_.flush();
  }

private:
  call_pipeline to_;
};

} // namespace umbel
