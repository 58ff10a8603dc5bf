#include "actors/multiplexer_scheduler.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

namespace umbel {

namespace {

/// A scheduled actor in the dress of what the multiplexer runs itself.
class turn : public caf::resumable, public caf::ref_counted {
public:
  /// @param what with the reference that its sender took for the scheduler
  explicit turn(caf::resumable* what) : what_(what, false) {
  }

  subtype_t subtype() const override {
    return function_object;
  }

  resume_result resume(caf::execution_unit* loop, size_t throughput) override {
    return what_->resume(loop, throughput);
  }

  void intrusive_ptr_add_ref_impl() override {
    ref();
  }

  void intrusive_ptr_release_impl() override {
    deref();
  }

private:
  caf::intrusive_ptr<caf::resumable> what_;
};

} // namespace

multiplexer_scheduler::multiplexer_scheduler(caf::actor_system& system) : super(system) {
}

caf::actor_system::module* multiplexer_scheduler::make(caf::actor_system& system,
                                            caf::detail::type_list<>) {
  return new multiplexer_scheduler(system);
}

void multiplexer_scheduler::start() {
  timer_ = std::thread{[this] {
    system().thread_started();
    clock_.run_dispatch_loop();
    system().thread_terminates();
  }};
  super::start();
}

void multiplexer_scheduler::stop() {
  stop_actors();
  clock_.cancel_dispatch_loop();
  timer_.join();
}

void multiplexer_scheduler::enqueue(caf::resumable* what) {
  // The multiplexer takes the reference to the turn.
  system().middleman().backend().exec_later(new turn{what});
}

caf::actor_clock& multiplexer_scheduler::clock() noexcept {
  return clock_;
}

} // namespace umbel
