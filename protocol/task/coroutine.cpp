#include "protocol/task/coroutine.hpp"

#include "protocol/task/context.hpp"
#include "protocol/task/exceptions.hpp"

namespace umbel {

// -- coroutine ----------------------------------------------------------------

coroutine::coroutine(awaitable<json::value> body, context& self, runtime& where,
                     std::function<std::exception_ptr()> stop)
    : body_(std::move(body)), self_(self), where_(where),
      stop_(std::move(stop)) {
}

coroutine::~coroutine() {
  context::scope active{self_}; // destructors of the task's objects may log
  body_ = {};
}

bool coroutine::start(std::function<void()> on_end) {
  body_.frame_.promise().owner = this;
  resume(body_.frame_);
  if (body_.frame_.done())
    return true;
  on_end_ = std::move(on_end);
  return false;
}

json::value coroutine::take() {
  return body_.frame_.promise().take();
}

void coroutine::interrupt(const std::exception_ptr& why) {
  throw_in_waits(why);
  check_end();
}

void coroutine::cancel() {
  cancelled_ = true;
  on_end_ = nullptr;
  throw_in_waits(std::make_exception_ptr(cancelled{}));
}

void coroutine::throw_in_waits(const std::exception_ptr& why) {
  // What goes on may begin to wait again, behind those that are there now.
  for (auto n = waits_.size(); n > 0 && !waits_.empty(); --n) {
    auto* x = waits_.front();
    x->leave();
    x->operation_.reset();
    x->failure_ = why;
    resume(x->frame_);
  }
}

void coroutine::resume(std::coroutine_handle<> frame) {
  context::scope active{self_};
  frame.resume();
}

void coroutine::check_end() {
  if (!body_.frame_ || !body_.frame_.done() || !on_end_)
    return;
  auto on_end = std::exchange(on_end_, nullptr);
  on_end();
}

// -- wait ---------------------------------------------------------------------

wait::~wait() {
  leave();
}

bool wait::suspend(coroutine* owner, std::coroutine_handle<> frame) {
  owner_ = owner;
  frame_ = frame;
  if (!owner->cancelled_) {
    if ((failure_ = owner->stop_()))
      return false;
    operation_ = begin(owner->where_);
  }
  place_ = owner->waits_.insert(owner->waits_.end(), this);
  waiting_ = true;
  return true;
}

void wait::leave() {
  if (std::exchange(waiting_, false))
    owner_->waits_.erase(place_);
}

void wait::finish() {
  leave();
  operation_.reset();
  auto* owner = owner_;
  owner->resume(frame_);
  owner->check_end();
}

} // namespace umbel
