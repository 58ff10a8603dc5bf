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
// is no broker, ValueError for a signature that is none, NotImplementedError for
// what the result store cannot do.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/canvas/router.hpp"
#include "protocol/canvas/signature.hpp"
#include "protocol/client/async_result.hpp"
#include "protocol/client/call_pipeline.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/time.hpp"
#include "protocol/task/to_json.hpp"
#include "protocol/task/unique_rule.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct app_options {
  std::string broker_url = {};
  std::string result_url = {}; ///< empty: there are no results to be had
  broker_options broker = {}; ///< timeouts, transport options, result options
  serializer result_serializer = serializer::json;
  std::string task_default_queue = "celery";
  body_form task_form = {};  ///< task_serializer, task_compression
  router task_routes = {};
  bool sent_events = false; ///< tell monitors of each task: task_send_sent_event
};

/// How one task is to run; Celery's names.
struct send_options {
  std::string task_id = {}; ///< empty: a fresh one
  std::optional<std::chrono::duration<double>> countdown = {};
  std::optional<timestamp> eta = {};
  std::optional<timestamp> expires = {};
  std::string queue = {}; ///< empty: by task_routes, or the default
  std::optional<int> priority = {};
  std::string serializer = {};
  std::string compression = {};
  std::optional<std::chrono::duration<double>> time_limit = {};
  std::optional<std::chrono::duration<double>> soft_time_limit = {};
  std::optional<bool> ignore_result = {};
  std::string shadow = {};
  json::object headers = {};
  std::vector<canvas::signature> link = {};
  std::vector<canvas::signature> link_error = {};
};

/// Puts them into a signature's own.
void set_options(canvas::signature& x, const send_options& how);

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
  template <class F>
  remote_task<F> task(std::string name) const {
    return {*this, std::move(name)};
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

  /// The result of a task that anybody has sent.
  async_result result(std::string id) const;

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

  remote_task(app where, std::string name)
      : app_(std::move(where)), name_(std::move(name)) {
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
    if (!unique_)
      return result_type{app_.send_task(name_, std::move(list), {}, how)};
    auto more = how;
    unique_->say(more.headers, list);
    return result_type{app_.send_task(name_, std::move(list), {}, more)};
  }

  /// For many calls: `call_pipeline`.
  task_pipeline<R(Ps...)> pipeline(const send_options& how = {}) const {
    return task_pipeline<R(Ps...)>{app_.pipeline(name_, how)};
  }

  /// A signature. What is left out comes first: from the task before it.
  template <class... Ts>
  canvas::signature s(const Ts&... args) const {
    static_assert(sizeof...(Ts) <= sizeof...(Ps), "too many arguments");
    canvas::signature to{.task = name_};
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
};

} // namespace umbel
