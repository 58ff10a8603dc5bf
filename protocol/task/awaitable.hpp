// The coroutine type of tasks: a function that returns `umbel::awaitable<T>` is
// a coroutine whose result is a T. The name is Boost.Asio's; cppcoro's `task`
// is Celery's word for something else.
//
//   umbel::awaitable<size_t> measure(std::string url) {
//     auto page = co_await umbel::http_get(url);
//     co_await umbel::sleep_for(1s);
//     co_return page.body.size();
//   }
//
// It begins when it is awaited, and runs on the thread of whoever awaits it. It
// is given up by destroying it: what it waits for is given up with it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace umbel {

class coroutine;

template <class T = void>
class awaitable;

namespace detail {

/// What all promises have. A chain of coroutines that await each other belongs
/// to one `coroutine`, the owner.
class promise_base {
public:
  std::suspend_always initial_suspend() noexcept {
    return {};
  }

  /// Goes on with who awaits this; with when_all, only after the last one.
  struct final_awaiter {
    bool await_ready() noexcept {
      return false;
    }

    template <class Promise>
    std::coroutine_handle<>
    await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      promise_base& x = ended.promise();
      if (x.running && --*x.running > 0)
        return std::noop_coroutine();
      return x.continuation ? x.continuation : std::noop_coroutine();
    }

    void await_resume() noexcept {
      // nop
    }
  };

  final_awaiter final_suspend() noexcept {
    return {};
  }

  coroutine* owner = nullptr;
  std::coroutine_handle<> continuation;
  size_t* running = nullptr; ///< counts this one and its siblings of a when_all
};

template <class T>
class promise : public promise_base {
public:
  awaitable<T> get_return_object() noexcept;

  template <class U = T>
  void return_value(U&& x) {
    result_.template emplace<1>(std::forward<U>(x));
  }

  void unhandled_exception() noexcept {
    result_.template emplace<2>(std::current_exception());
  }

  T take() {
    if (auto* failure = std::get_if<2>(&result_))
      std::rethrow_exception(*failure);
    return std::move(std::get<1>(result_));
  }

private:
  std::variant<std::monostate, T, std::exception_ptr> result_;
};

template <>
class promise<void> : public promise_base {
public:
  awaitable<void> get_return_object() noexcept;

  void return_void() noexcept {
    // nop
  }

  void unhandled_exception() noexcept {
    failure_ = std::current_exception();
  }

  void take() {
    if (failure_)
      std::rethrow_exception(failure_);
  }

private:
  std::exception_ptr failure_;
};

template <class T>
class when_all_awaiter;

} // namespace detail

/// A coroutine that was called. Nothing of it runs before it is awaited, which
/// can be done once.
template <class T>
class [[nodiscard]] awaitable {
public:
  static_assert(!std::is_reference_v<T>, "a coroutine's result is a value");

  using value_type = T;
  using promise_type = detail::promise<T>;
  using handle_type = std::coroutine_handle<promise_type>;

  // -- constructors, destructors ----------------------------------------------

  awaitable() noexcept = default;

  explicit awaitable(handle_type frame) noexcept : frame_(frame) {
  }

  awaitable(awaitable&& other) noexcept
      : frame_(std::exchange(other.frame_, nullptr)) {
  }

  awaitable& operator=(awaitable&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }

  ~awaitable() {
    if (frame_)
      frame_.destroy();
  }

  // -- awaiting ---------------------------------------------------------------

  class awaiter {
  public:
    explicit awaiter(handle_type frame) noexcept : frame_(frame) {
    }

    bool await_ready() const noexcept {
      return false;
    }

    /// Runs it up to its first wait. No transfer of control to it: one that
    /// ends without waiting must not cost a level of the stack, and g++ makes
    /// such a transfer a call when it does not optimise.
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
      frame_.promise().owner = caller.promise().owner;
      frame_.resume();
      if (frame_.done())
        return false;
      frame_.promise().continuation = caller;
      return true;
    }

    T await_resume() {
      return frame_.promise().take();
    }

  private:
    handle_type frame_;
  };

  awaiter operator co_await() && noexcept {
    return awaiter{frame_};
  }

private:
  friend class umbel::coroutine;
  friend class detail::when_all_awaiter<T>;

  handle_type frame_;
};

namespace detail {

template <class T>
awaitable<T> promise<T>::get_return_object() noexcept {
  return awaitable<T>{std::coroutine_handle<promise>::from_promise(*this)};
}

inline awaitable<void> promise<void>::get_return_object() noexcept {
  return awaitable<void>{std::coroutine_handle<promise>::from_promise(*this)};
}

template <class T>
constexpr bool is_awaitable = false;

template <class T>
constexpr bool is_awaitable<awaitable<T>> = true;

/// Starts all, and goes on when the last one has ended.
template <class T>
class when_all_awaiter {
public:
  explicit when_all_awaiter(std::vector<awaitable<T>>& all) noexcept
      : all_(all) {
  }

  bool await_ready() const noexcept {
    return all_.empty();
  }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    running_ = all_.size() + 1; // one more, so that none goes on too early
    for (auto& x : all_) {
      auto& promise = x.frame_.promise();
      promise.owner = caller.promise().owner;
      promise.continuation = caller;
      promise.running = &running_;
      x.frame_.resume();
    }
    return --running_ > 0;
  }

  void await_resume() const noexcept {
    // nop
  }

  static T take(awaitable<T>& x) {
    return x.frame_.promise().take();
  }

private:
  std::vector<awaitable<T>>& all_;
  size_t running_ = 0;
};

} // namespace detail

/// Runs coroutines at the same time: each goes on while others wait. Waits for
/// all of them, then throws what the first of them in order threw, if any did.
/// @returns their results in the same order
template <class T>
awaitable<std::vector<T>> when_all(std::vector<awaitable<T>> all) {
  co_await detail::when_all_awaiter<T>{all};
  std::vector<T> results;
  results.reserve(all.size());
  for (auto& x : all)
    results.push_back(detail::when_all_awaiter<T>::take(x));
  co_return results;
}

inline awaitable<void> when_all(std::vector<awaitable<void>> all) {
  co_await detail::when_all_awaiter<void>{all};
  for (auto& x : all)
    detail::when_all_awaiter<void>::take(x);
}

} // namespace umbel
