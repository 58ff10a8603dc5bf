#include "protocol/task/eager.hpp"

#include "protocol/backend/document.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/runner.hpp"

#include <iterator>
#include <utility>

namespace umbel {

namespace {

/// Lets through what the run says, but no state: it would be taken for one of
/// the caller.
class quiet_sink final : public state_sink {
public:
  explicit quiet_sink(state_sink& to) : to_(to) {
  }

  void state(uint64_t, std::string) override {
    // nop
  }

  void event(uint64_t job, std::string type, std::string fields) override {
    to_.event(job, std::move(type), std::move(fields));
  }

  void log(uint64_t job, uint8_t level, std::string_view text) override {
    to_.log(job, level, text);
  }

private:
  state_sink& to_;
};

/// One call. Lives until its end was told or it is given up.
class eager_operation final : public runtime::operation {
public:
  eager_operation(context& caller, runtime& where, task_id id,
                  std::string payload,
                  std::function<void(expected<std::string>)> f)
      : caller_(caller), where_(where), id_(std::move(id)),
        payload_(std::move(payload)), f_(std::move(f)),
        sink_(caller.sink()),
        runner_(caller.tasks(), caller.settings(), where),
        self_(std::make_shared<eager_operation*>(this)) {
    begin_soon();
  }

private:
  /// From the runtime's loop: whoever calls may not be told yet.
  void begin_soon() {
    where_.post([weak = std::weak_ptr{self_}] {
      if (auto self = weak.lock())
        (*self)->begin();
    });
  }

  void begin() {
    auto end = runner_.start(caller_.job(), payload_, sink_,
                             [this](outcome x) { take(std::move(x)); });
    if (end)
      take(std::move(*end));
  }

  void take(outcome x) {
    if (x.kind == outcome_kind::retry && !x.publish.empty()) {
      // At once: a runner does not look at its eta.
      payload_ = std::move(x.publish.front().payload);
      return begin_soon();
    }
    auto& out = caller_.started();
    std::ranges::move(x.publish, std::back_inserter(out.publish));
    std::ranges::move(x.workflow.groups, std::back_inserter(out.groups));
    auto& steps = caller_.steps();
    std::ranges::move(x.workflow.results, std::back_inserter(steps.results));
    std::ranges::move(x.workflow.parts, std::back_inserter(steps.parts));
    if (caller_.settings().task_store_eager_result && !x.document.empty())
      steps.results.push_back({id_, x.document, {}});
    // The last thing that is done: it may destroy this object.
    auto f = std::move(f_);
    f(document_of(std::move(x)));
  }

  expected<std::string> document_of(outcome x) const {
    if (!x.document.empty())
      return std::move(x.document);
    if (x.kind == outcome_kind::success) { // its result is ignored
      meta nothing;
      nothing.status = "SUCCESS";
      nothing.task_id = id_.str();
      return to_document(nothing, caller_.settings().result_serializer);
    }
    return error{errc::refused, "the task has no result: " + x.summary};
  }

  context& caller_;
  runtime& where_;
  task_id id_;
  std::string payload_;
  std::function<void(expected<std::string>)> f_;
  quiet_sink sink_;
  task_runner runner_;
  /// For posted functions, which may come when the operation is gone.
  std::shared_ptr<eager_operation*> self_;
};

} // namespace

std::unique_ptr<runtime::operation>
run_eagerly(context& caller, runtime& where, task_id id,
            outgoing_message message,
            std::function<void(expected<std::string>)> f) {
  return std::make_unique<eager_operation>(caller, where, std::move(id),
                                           std::move(message.payload),
                                           std::move(f));
}

} // namespace umbel
