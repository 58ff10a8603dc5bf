#include "actors/event_loop.hpp"

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

event_loop::event_loop(caf::actor_system& system) : super(system) {
}

caf::actor_system::module* event_loop::make(caf::actor_system& system,
                                            caf::detail::type_list<>) {
  return new event_loop(system);
}

void event_loop::start() {
  timer_ = std::thread{[this] {
    system().thread_started();
    clock_.run_dispatch_loop();
    system().thread_terminates();
  }};
  super::start();
}

void event_loop::stop() {
  stop_actors();
  clock_.cancel_dispatch_loop();
  timer_.join();
}

void event_loop::enqueue(caf::resumable* what) {
  // The multiplexer takes the reference to the turn.
  system().middleman().backend().exec_later(new turn{what});
}

caf::actor_clock& event_loop::clock() noexcept {
  return clock_;
}

} // namespace umbel
