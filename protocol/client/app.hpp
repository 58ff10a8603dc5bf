// A program's way to a cluster: sends tasks and workflows, and has their results.
//
//     umbel::app app{{.broker_url = "redis://", .result_url = "redis://"}};
//     auto add = app.task<int(int, int)>("tasks.add");
//     add.delay(4, 4).get();                                    // 8
//     app.apply(add.s(1, 1) | umbel::canvas::make_group({add.s(1), add.s(2)}));
//
// Connects when it is first used. Thread-safe; copies are the same app. Within a
// task, what is sent becomes that task's child.
//
// Functions throw umbel::exception: OperationalError (kombu.exceptions) if there
// is no broker, ValueError for a signature that is none, ImproperlyConfigured
// (celery.exceptions) for a URL that cannot be meant, NotImplementedError for what
// this broker or result store cannot do, QueueNotFound (celery.exceptions).
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/canvas/routing.hpp"
#include "protocol/canvas/signature.hpp"
#include "protocol/client/async_result.hpp"
#include "protocol/client/call_pipeline.hpp"
#include "protocol/client/send_options.hpp"
#include "protocol/message/content.hpp"
#include "protocol/task/to_json.hpp"
#include "protocol/task/unique_rule.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class registry;

struct app_options {
  std::string broker_url = {};
  std::string result_url = {}; ///< empty: there are no results to be had
  broker_options broker = {}; ///< timeouts, transport options, result options
  serializer result_serializer = serializer::json;
  umbel::routing routing = {}; ///< task_routes, task_default_queue, task_queues ...
  body_form task_form = {};  ///< task_serializer, task_compression
  publish_retry_policy publish_retry = {}; ///< task_publish_retry, ..._policy
  bool sent_events = false; ///< tell monitors of each task: task_send_sent_event
  serializer event_serializer = serializer::json; ///< of what they are told
  std::string control_exchange{"celery.pidbox"}; ///< of what workers are told

  // -- eager mode (eager_runs.hpp) ----------------------------------------------

  /// The tasks that this program can run itself. Null: Celery's own ones alone.
  std::shared_ptr<const registry> tasks = {};
  /// All that is sent runs here and now, if there are `tasks`: task_always_eager.
  bool always_eager = false;
  bool eager_propagates = false; ///< and throws what its first failed task has thrown
  bool store_eager_result = false; ///< results go to `result_url`, too
};

template <class F>
class remote_task;

class app {
public:
  explicit app(app_options options);

  /// Sends a task by its name.
  async_result send_task(const std::string& task, json::array args = {},
                         json::object kwargs = {},
                         const send_options& how = {}) const;

  /// A task of this type that some worker has: `app.task<int(int, int)>("add")`.
  /// @param defaults for all its calls, as options of a task in Celery
  template <class F>
  remote_task<F> task(std::string name, send_options defaults = {}) const {
    return {*this, std::move(name), std::move(defaults)};
  }

  /// Sends this task over and over, quickly.
  call_pipeline pipeline(std::string task, const send_options& how = {}) const {
    return {core_, std::move(task), how};
  }

  /// Starts a task or a workflow, in one round trip however large it is.
  /// @returns the result of its last task; for what ends in a group, `apply_group`
  async_result apply(canvas::signature x, const json::array& args = {}) const;

  /// Starts a group, or a workflow that ends in one.
  group_result apply_group(canvas::signature x,
                           const json::array& args = {}) const;

  /// Runs a task or a workflow here and now, whatever `always_eager` says: Celery's
  /// `Signature.apply`. @returns as `apply`, of what has ended
  async_result run(canvas::signature x, const json::array& args = {}) const;

  /// The same for a group, or a workflow that ends in one.
  group_result run_group(canvas::signature x, const json::array& args = {}) const;

  /// Connects to where results are to be had, which is done in any case when it is
  /// needed: for those who want to know before they send.
  void open_results() const;

  /// The result of a task that anybody has sent.
  async_result result(std::string id) const;

  /// What `as_tuple` has written, here or in Python.
  /// @throws umbel::exception ValueError for anything else
  any_result result_from_tuple(const json::value& tuple) const;

  /// Waits for results that something is to be done with (`async_result::then`), and
  /// does it, until there are none, or for `timeout`: some may never end.
  /// @returns how many there were
  size_t run_callbacks(
    std::optional<std::chrono::milliseconds> timeout = {}) const;

  /// Tells all workers not to run tasks that carry these stamps: names, and a value or
  /// a list of them. Waits for no answer.
  void revoke_by_stamped_headers(const json::object& headers,
                                 const revoke_options& how = {}) const;

  /// A group that was saved, by whatever client (`group_result::save`); nothing
  /// if there is none of that id.
  std::optional<group_result> restore_group(const std::string& id) const;

private:
  std::shared_ptr<app_core> core_;
};

template <class R, class... Ps>
class remote_task<R(Ps...)> {
public:
  using result_type = typed_result<R>;

  remote_task(app where, std::string name, send_options defaults = {})
      : app_(std::move(where)), name_(std::move(name)),
        defaults_(std::move(defaults)) {
  }

  const std::string& name() const noexcept {
    return name_;
  }

  /// The same task, of which there is to be one at a time with the same values of the
  /// arguments at these positions (of all, if none are given): a second one is refused,
  /// TaskRevokedError. For brokers that keep keys; a pipeline does not look at them.
  remote_task unique(const unique_rule& rule = {},
                     std::vector<size_t> positions = {}) const {
    auto to = *this;
    to.unique_ = {rule, std::move(positions)};
    return to;
  }

  result_type delay(const Ps&... args) const {
    return with({}, args...);
  }

  /// With options: `add.with({.countdown = 10s}, 4, 4)`.
  result_type with(const send_options& how, const Ps&... args) const {
    json::array list{to_json_value(args)...};
    auto all = merge(defaults_, how);
    if (unique_)
      unique_->say(all.headers, list);
    return result_type{app_.send_task(name_, std::move(list), {}, all)};
  }

  /// Runs it here and now: Celery's `Task.apply`. @pre the app has it (`tasks`)
  result_type apply(const Ps&... args) const {
    return result_type{app_.run(s(args...))};
  }

  /// For many calls: `call_pipeline`.
  task_pipeline<R(Ps...)> pipeline(const send_options& how = {}) const {
    return task_pipeline<R(Ps...)>{app_.pipeline(name_, merge(defaults_, how))};
  }

  /// A signature. What is left out comes first: from the task before it.
  template <class... Ts>
  canvas::signature s(const Ts&... args) const {
    static_assert(sizeof...(Ts) <= sizeof...(Ps), "too many arguments");
    canvas::signature to{.task = name_};
    set_options(to, defaults_);
    (to.args.push_back(to_json_value(args)), ...);
    if (json::object headers; unique_ && unique_->say(headers, to.args))
      to.options["headers"] = std::move(headers);
    return to;
  }

  /// An immutable one, which takes nothing from the task before it.
  canvas::signature si(const Ps&... args) const {
    auto to = s(args...);
    to.immutable = true;
    return to;
  }

private:
  struct uniqueness {
    unique_rule rule;
    std::vector<size_t> positions;

    /// @returns whether all that the key is made of is there
    bool say(json::object& headers, const json::array& args) const {
      std::vector<const json::value*> values;
      if (positions.empty())
        for (auto& x : args)
          values.push_back(&x);
      for (auto i : positions)
        if (i < args.size())
          values.push_back(&args[i]);
      auto wanted = positions.empty() ? sizeof...(Ps) : positions.size();
      if (values.size() == wanted)
        add_unique_headers(headers, rule, unique_key_of(values));
      return values.size() == wanted;
    }
  };

  app app_;
  std::string name_;
  std::optional<uniqueness> unique_;
  send_options defaults_;
};

} // namespace umbel
