#include "protocol/client/call_pipeline.hpp"

#include "protocol/client/app_core.hpp"

#include <utility>

namespace umbel {

namespace {

// Of one round trip: more make nothing quicker, and keep others waiting.
constexpr size_t calls_max = 512;
constexpr size_t bytes_max = 1 << 20;

} // namespace

call_pipeline::call_pipeline(std::shared_ptr<app_core> core, std::string task,
                             const send_options& how)
    : core_(std::move(core)), call_{.task = std::move(task)},
      retry_(core_->retry_policy_of(how)),
      ignored_(how.ignore_result.value_or(false)) {
  if (!how.task_id.empty())
    throw exception("ValueError", {"the calls of a pipeline cannot have one "
                                   "task_id"});
  set_options(call_, how);
  value_of(canvas::parse_signature(canvas::to_json_value(call_)));
  // What counts from when it is called, and what looks at the arguments.
  if (how.countdown || how.expires_in
      || core_->options().routing.routes.has_functions())
    return;
  auto first = std::move(core_->to_messages(call_).publish.at(0));
  if (auto form = message_template::make(first.payload)) {
    form_ = std::move(*form);
    first.payload.clear();
    made_ = std::move(first);
  }
}

call_pipeline& call_pipeline::operator=(call_pipeline&& other) {
  if (this == &other)
    return *this;
  publish_rest();
  core_ = std::move(other.core_);
  call_ = std::move(other.call_);
  retry_ = other.retry_;
  ignored_ = other.ignored_;
  made_ = std::move(other.made_);
  form_ = std::move(other.form_);
  waiting_ = std::exchange(other.waiting_, {});
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

call_pipeline::~call_pipeline() {
  publish_rest();
}

void call_pipeline::publish_rest() noexcept {
  if (core_ && !waiting_.empty())
    core_->publish(waiting_, retry_);
}

async_result call_pipeline::send(const json::array& args) {
  if (waiting_.size() >= calls_max || bytes_ >= bytes_max)
    flush();
  auto id = make_uuid();
  if (form_) {
    waiting_.push_back(*made_);
    waiting_.back().payload = form_->fill(id, args);
  } else {
    auto x = call_;
    x.args = args;
    x.options["task_id"] = id;
    waiting_.push_back(std::move(core_->to_messages(std::move(x)).publish[0]));
  }
  bytes_ += waiting_.back().payload.size();
  return {core_, std::move(id), {}, 0, ignored_};
}

void call_pipeline::flush() {
  if (waiting_.empty())
    return;
  auto done = core_->publish(waiting_, retry_);
  if (done || done.error().code == errc::duplicate) {
    waiting_.clear();
    bytes_ = 0;
  }
  value_of(std::move(done));
}

} // namespace umbel
