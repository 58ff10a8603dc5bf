// One coroutine in progress, with all those that it awaits: from its start to
// its end, or until it is given up.
//
// Everything happens on the thread of its runtime. It is suspended in one wait,
// or in several below a when_all; what can end a wait is the runtime, an
// interruption, which throws there, or the end of this object.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/task/awaitable.hpp"
#include "protocol/task/runtime.hpp"

#include <coroutine>
#include <exception>
#include <functional>
#include <list>
#include <memory>

namespace umbel {

class context;
class wait;

class coroutine {
public:
  /// @param self what `context::current` is while it runs; outlives this object
  /// @param stop called before each wait: what is to be thrown instead, or null
  coroutine(awaitable<json::value> body, context& self, runtime& where,
            std::function<std::exception_ptr()> stop);

  coroutine(const coroutine&) = delete;
  coroutine& operator=(const coroutine&) = delete;

  /// Gives up what it waits for and destroys what it has on its frames.
  ~coroutine();

  /// Runs it up to its first wait. @returns whether it has ended
  /// @param on_end called when it ends later; may destroy this object
  bool start(std::function<void()> on_end);

  /// Its result, or throws its exception. @pre it has ended, and this is the
  /// first call
  json::value take();

  /// Throws `why` wherever it waits. Does nothing if it has ended.
  void interrupt(const std::exception_ptr& why);

  /// Throws umbel::cancelled where it waits, so that it can clean up. It does
  /// not wait again: the next wait is its end. Nobody is told.
  /// @pre it has started and not ended
  void cancel();

private:
  friend class wait;

  using wait_list = std::list<wait*>;

  /// Throws `why` in each wait that there is now.
  void throw_in_waits(const std::exception_ptr& why);

  /// Goes on with a frame.
  void resume(std::coroutine_handle<> frame);

  void check_end();

  awaitable<json::value> body_;
  context& self_;
  runtime& where_;
  std::function<std::exception_ptr()> stop_;
  std::function<void()> on_end_;
  wait_list waits_;
  bool cancelled_ = false;
};

/// Base of what a coroutine can wait for in the outside world. A temporary of
/// the co_await expression, so it lives on the coroutine's frame; when that is
/// destroyed, so is the operation.
class [[nodiscard]] wait {
public:
  wait() = default;

  wait(const wait&) = delete;
  wait& operator=(const wait&) = delete;

  bool await_ready() const noexcept {
    return false;
  }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return suspend(caller.promise().owner, caller);
  }

protected:
  ~wait();

  /// Begins the operation, which calls `finish` when it has ended.
  virtual std::unique_ptr<runtime::operation> begin(runtime& where) = 0;

  /// Ends the wait; may destroy this object. @pre waiting()
  void finish();

  /// Whether it has begun and not ended. One that has ended may live on, until
  /// the other waits of the same expression have ended.
  bool waiting() const noexcept {
    return waiting_;
  }

  /// Throws if the wait was interrupted. To be called by `await_resume`.
  void check() const {
    if (failure_)
      std::rethrow_exception(failure_);
  }

  /// The one that waits here.
  context& self() const noexcept {
    return owner_->self_;
  }

private:
  friend class coroutine;

  bool suspend(coroutine* owner, std::coroutine_handle<> frame);

  /// No longer among the owner's waits.
  void leave();

  coroutine* owner_ = nullptr;
  std::coroutine_handle<> frame_;
  coroutine::wait_list::iterator place_; ///< while `waiting_`
  bool waiting_ = false;
  std::exception_ptr failure_;
  std::unique_ptr<runtime::operation> operation_;
};

} // namespace umbel
