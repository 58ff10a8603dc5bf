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
    : core_(std::move(core)), call_{.task = std::move(task)} {
  if (!how.task_id.empty())
    throw exception("ValueError", {"the calls of a pipeline cannot have one "
                                   "task_id"});
  set_options(call_, how);
  value_of(canvas::parse_signature(canvas::to_json_value(call_)));
  auto first = core_->to_messages(call_).publish.at(0);
  queue_ = first.queue;
  priority_ = first.priority;
  if (auto form = message_template::make(first.payload))
    form_ = std::move(*form);
}

call_pipeline::~call_pipeline() {
  if (core_ && !waiting_.empty())
    core_->publish(waiting_);
}

async_result call_pipeline::send(const json::array& args) {
  if (waiting_.size() >= calls_max || bytes_ >= bytes_max)
    flush();
  auto id = make_uuid();
  if (form_) {
    waiting_.push_back({queue_, priority_, form_->fill(id, args)});
  } else {
    auto x = call_;
    x.args = args;
    x.options["task_id"] = id;
    waiting_.push_back(std::move(core_->to_messages(std::move(x)).publish[0]));
  }
  bytes_ += waiting_.back().payload.size();
  return {core_, std::move(id)};
}

void call_pipeline::flush() {
  if (waiting_.empty())
    return;
  value_of(core_->publish(waiting_));
  waiting_.clear();
  bytes_ = 0;
}

} // namespace umbel
