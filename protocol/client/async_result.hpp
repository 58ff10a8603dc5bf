// The result of a task that may still be running: Celery's AsyncResult, ResultSet and
// GroupResult.
//
// Handles: copies are cheap and mean the same task; they outlive the app that
// made them. All functions may be called from any thread, and throw
// umbel::exception if there is no answer: OperationalError (kombu.exceptions)
// for a store that cannot be reached.
#pragma once

#include "protocol/canvas/results.hpp"
#include "protocol/client/task_result.hpp"
#include "protocol/message/json.hpp"
#include "protocol/names.hpp"
#include "protocol/task/exceptions.hpp"
#include "protocol/task/from_json.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace umbel {

class app_core;

/// How to wait.
struct get_options {
  using duration = std::chrono::milliseconds;

  std::optional<duration> timeout = {}; ///< none: for ever
  /// Throw what the task has thrown; otherwise return the exception's document.
  bool propagate = true;
  /// Between two looks at the result store itself, in case an announcement was lost.
  duration interval{1'000};
};

class async_result;
class group_result;

/// The result of a task, or of a group.
using any_result = std::variant<async_result, group_result>;

/// How to revoke.
struct revoke_options {
  bool terminate = false; ///< end it if it runs
  std::string signal = "SIGTERM";
};

/// What a result follows from, the first one first. Shared by all of a workflow.
using lineage = std::shared_ptr<const std::vector<canvas::result_node>>;

class async_result {
public:
  /// @param line   what it follows from, and perhaps more; null: nothing
  /// @param before how much of it
  /// @param ignored nothing will be stored of it
  async_result(std::shared_ptr<app_core> core, std::string id,
               lineage line = {}, size_t before = 0, bool ignored = false)
      : core_(std::move(core)), id_(std::move(id)), line_(std::move(line)),
        before_(before), ignored_(ignored) {
  }

  const std::string& id() const noexcept {
    return id_;
  }

  /// Whether its call has said `ignore_result`: `get` returns null at once.
  bool ignored() const noexcept {
    return ignored_;
  }

  /// "PENDING" for a task that nothing is known of, "STARTED", "SUCCESS" ...
  std::string state() const;

  /// What belongs to the state: the result, the exception's document, or what
  /// the task has said of its progress.
  json::value info() const;

  /// Whether no other state will follow.
  bool ready() const;
  bool successful() const;
  bool failed() const;

  /// Of a failure; empty if there is none.
  std::string traceback() const;

  /// Does nothing unless it has ended badly, and does not wait for that.
  /// @throws as `get`
  void maybe_throw() const;

  /// Waits for the end; null at once if the result is ignored.
  /// @throws umbel::exception what the task has thrown, or one of those that it
  /// follows from; TaskRevokedError; TimeoutError (celery.exceptions)
  json::value get(get_options how = {}) const;

  /// All that is stored of it now: state, result, traceback, when it ended, and what
  /// else its worker was to store (`result_extended`): its name, arguments, worker,
  /// retries and queue. Nothing for an id that is not known.
  std::optional<task_result> meta() const;

  /// Whether anything is stored of it.
  bool exists() const {
    return meta().has_value();
  }

  /// Calls `f` with this result when it has ended: at once if it has; else by whoever
  /// waits for it, with `get`, or for all such results, with `app::run_callbacks`. What
  /// `f` throws is thrown there. A step behind one that has failed never ends. The app
  /// is not kept by it: what nobody has waited for is forgotten with its last handle.
  void then(std::function<void(const async_result&)> f) const;

  /// Deletes what is stored of the task.
  void forget() const;

  /// Tells all workers not to run it. Waits for no answer.
  void revoke(const revoke_options& how = {}) const;

  /// What it follows from in its workflow: the step before it, the header of its
  /// chord. Nothing for the first, and for a result that is only known by its id.
  std::optional<any_result> parent() const;

  /// The tasks that this one has started: its callbacks, the next step of its
  /// chain. Those of groups are among them.
  std::vector<async_result> children() const;

  /// Whose child is whose: all that has followed from this task until now, as
  /// pairs of ids, nearest first.
  std::vector<std::pair<std::string, std::string>> graph() const;

  /// Waits for this task and all that follows from it, nearest first.
  /// @throws as `get`
  std::vector<std::pair<async_result, json::value>>
  collect(get_options how = {}) const;

  /// Waits for all of those; the value of the last one. @throws as `get`
  json::value get_leaf(get_options how = {}) const;

  /// As Celery hands a result on: `[[id, parent], null]`. `app::result_from_tuple`
  /// reads it.
  json::value as_tuple() const;

  /// Its id, and those of all that it follows from, nearest first.
  std::vector<std::string> as_list() const;

  friend bool operator==(const async_result& x, const async_result& y) {
    return x.id_ == y.id_;
  }

protected:
  std::shared_ptr<app_core> core_;

private:
  friend class result_set;
  friend class group_result;

  void add_ancestors(std::vector<task_id>& to) const;

  std::string id_;
  lineage line_;
  size_t before_ = 0;
  bool ignored_ = false;
};

/// The same, of a task whose result is a T.
template <class T>
class typed_result : public async_result {
public:
  explicit typed_result(async_result x) : async_result(std::move(x)) {
  }

  /// @throws as async_result::get, and TypeError if the result is no T
  T get(std::optional<std::chrono::milliseconds> timeout = {}) const {
    auto result = async_result::get({.timeout = timeout});
    if constexpr (!std::is_void_v<T>) {
      try {
        return from_json<T>(result);
      } catch (const bad_argument& x) {
        throw exception("TypeError",
                        {json::string{"the result" + x.path + ' ' + x.what}});
      }
    }
  }
};

/// The results of several tasks, of whatever calls, in their order; each is there once.
class result_set {
public:
  explicit result_set(std::vector<async_result> results = {});

  const std::vector<async_result>& results() const noexcept {
    return results_;
  }

  /// Does nothing if it is there.
  void add(const async_result& x);
  void update(const std::vector<async_result>& all);

  /// @throws umbel::exception KeyError if it is not there
  void remove(const async_result& x);

  /// Does nothing if it is not there.
  void discard(const async_result& x);

  void clear() {
    results_.clear();
  }

  /// Of those that have ended well.
  size_t completed_count() const;
  bool ready() const;
  bool successful() const;
  bool failed() const;

  /// Whether any has not ended yet.
  bool waiting() const {
    return !ready();
  }

  /// As those of its results. @throws what the first that has failed has thrown
  void maybe_throw() const;

  /// Waits for all at once. @throws what the first of them in order has thrown
  std::vector<json::value> get(get_options how = {}) const;

  /// Waits, and calls `f` with each as it ends: its place in `results`, and its
  /// value. @throws what the first of them that fails has thrown
  void for_each_as_completed(
    const std::function<void(size_t, const json::value&)>& f,
    get_options how = {}) const;

  void forget() const;

  /// @pre all are of one app
  void revoke(const revoke_options& how = {}) const;

protected:
  std::vector<json::value> wait_for_all(std::vector<task_id> before,
                                        const get_options& how) const;

  std::vector<async_result> results_;
};

/// The results of a group. Those of groups within it are among them.
class group_result : public result_set {
public:
  group_result(std::shared_ptr<app_core> core, canvas::result_node node,
               lineage line = {}, size_t before = 0);

  const std::string& id() const noexcept {
    return node_.id;
  }

  /// Of a group within it there is one value, a list. @throws as result_set::get
  std::vector<json::value> get(get_options how = {}) const;

  std::optional<any_result> parent() const;

  /// `[[id, parent], results]`.
  json::value as_tuple() const;

  /// Keeps it in the result store as Celery does, to be found again by its id
  /// (`app::restore_group`), in Python, too.
  void save() const;

  /// Deletes what was saved.
  void erase() const;

private:
  // A group is what it was started as.
  using result_set::add;
  using result_set::clear;
  using result_set::discard;
  using result_set::remove;
  using result_set::update;

  std::shared_ptr<app_core> core_;
  canvas::result_node node_;
  lineage line_;
  size_t before_ = 0;
};

} // namespace umbel
