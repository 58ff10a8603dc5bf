// What an app and the results that it gave out share: one connection for
// publishing, one for results. Thread-safe. Internal to this folder.
#pragma once

#include "protocol/canvas/applier.hpp"
#include "protocol/client/app.hpp"
#include "protocol/client/eager_runs.hpp"
#include "protocol/client/result_callbacks.hpp"
#include "protocol/client/result_hub.hpp"
#include "protocol/client/sent_events.hpp"
#include "protocol/control/control_request.hpp"

#include <memory>
#include <mutex>
#include <span>
#include <unordered_set>

namespace umbel {

class app_core {
public:
  explicit app_core(app_options options);

  const app_options& options() const noexcept {
    return options_;
  }

  result_hub& results() noexcept {
    return results_;
  }

  result_callbacks& callbacks() noexcept {
    return callbacks_;
  }

  /// Publishes, all in one round trip. If the connection is lost, again on new ones,
  /// as Celery's clients do: what was sent may then come twice.
  /// @returns `duplicate` for unique tasks; all others are sent then
  expected<void> publish(std::span<const outgoing_message> messages,
                         const publish_retry_policy& how);

  /// How often a call is to be published.
  publish_retry_policy retry_policy_of(const send_options& how) const;

  /// The messages of a workflow, and what is to be kept of it.
  /// @pre frozen @throws umbel::exception QueueNotFound
  canvas::application to_messages(canvas::signature x,
                                  const json::array& first = {});

  /// Carries out a workflow. @throws umbel::exception QueueNotFound
  expected<canvas::result_node> apply(canvas::signature x,
                                      const json::array& first,
                                      const send_options& how = {});

  /// That of an app with the same options which is always eager.
  std::shared_ptr<app_core> here();

  /// Tells all workers. @throws as an app
  /// @param what `task_id`, or `headers` of revoke_by_stamped_headers
  void revoke(std::string method, json::object what, const revoke_options& how);
  void revoke(std::span<const std::string> ids, const revoke_options& how);

private:
  result_hub::opener opener() const;
  expected<void> connect();
  expected<void> tell(const control_request& x);
  /// What runs tasks in place, opened when it is first needed.
  expected<eager_runs*> eager();
  /// @throws what a task has thrown, with eager_propagates
  expected<void> run_eagerly(std::span<const outgoing_message> messages);
  expected<void> try_to_publish(std::span<const outgoing_message> messages);

  const std::string stored_url_; ///< where eager results go, too; empty: nowhere
  const app_options options_;
  const std::string mailbox_; ///< of results by rpc://; empty: none
  sent_events sent_events_;
  result_hub results_;
  result_callbacks callbacks_;
  std::mutex mutex_;
  std::unique_ptr<broker> broker_; // null: not connected
  std::unordered_set<queue_name> declared_; ///< over that connection
  std::unique_ptr<eager_runs> eager_; ///< null: not opened
  std::shared_ptr<app_core> here_; ///< null: not made
};

/// Throws what functions of an app throw.
[[noreturn]] void refuse(const error& x);

template <class T>
T value_of(expected<T> x) {
  if (!x)
    refuse(x.error());
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

} // namespace umbel
