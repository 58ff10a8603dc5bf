#include "protocol/task/asio_runtime.hpp"

#include "protocol/task/http_exchange.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <future>
#include <utility>

namespace umbel {

namespace asio = boost::asio;

struct asio_runtime::implementation {
  asio::io_context context{1}; // one thread runs it
  asio::executor_work_guard<asio::io_context::executor_type> guard{
      context.get_executor()};
};

namespace {

class timer final : public runtime::operation {
public:
  timer(asio::io_context& context, runtime::time_point when,
        std::function<void()> f)
      : state_(std::make_shared<state>(
          state{asio::steady_timer{context, when}, std::move(f)})) {
    state_->clock.async_wait([s = state_](boost::system::error_code) {
      // Not by the error code: it may have been due when it was given up.
      if (auto due = std::exchange(s->f, nullptr))
        due();
    });
  }

  ~timer() override {
    state_->f = nullptr;
    state_->clock.cancel();
  }

private:
  struct state {
    asio::steady_timer clock;
    std::function<void()> f; ///< null when called or given up
  };

  std::shared_ptr<state> state_;
};

/// A call of another task. What comes of it comes from another thread.
class call_operation final : public runtime::operation {
public:
  using handler = std::function<void(expected<std::string>)>;

  explicit call_operation(handler f)
      : handler_(std::make_shared<handler>(std::move(f))) {
  }

  /// @param post runs a function on the runtime's thread
  void begin(task_caller& caller, task_id id, outgoing_message message,
             std::function<void(std::function<void()>)> post) {
    caller_ = &caller;
    number_ =
        caller.call(std::move(id), std::move(message),
                    [post = std::move(post),
                     weak = std::weak_ptr{handler_}](expected<std::string> x) {
                      post([weak, x = std::move(x)] {
                        if (auto f = weak.lock())
                          (*f)(x);
                      });
                    });
  }

  ~call_operation() override {
    if (caller_)
      caller_->forget(number_);
  }

private:
  std::shared_ptr<handler> handler_; ///< gone when it is given up
  task_caller* caller_ = nullptr;
  uint64_t number_ = 0;
};

/// For the tasks of a process that has no way to a broker.
class no_caller final : public task_caller {
public:
  uint64_t call(task_id, outgoing_message, handler f) override {
    f(error{errc::unsupported, "other tasks cannot be called from here"});
    return 0;
  }

  void forget(uint64_t) override {
    // nop
  }

  void ask(question, answer_handler f) override {
    f(error{errc::unsupported, "there is nobody here to ask"});
  }
};

/// How long an answer may take. There may be a connection to be made again.
constexpr auto answer_max = std::chrono::seconds{10};

no_caller nobody;

} // namespace

asio_runtime::asio_runtime(task_caller* caller)
    : impl_(std::make_shared<implementation>()), caller_(caller) {
}

asio_runtime::~asio_runtime() = default;

void asio_runtime::run() {
  impl_->context.run();
  impl_->context.restart();
}

void asio_runtime::stop() {
  impl_->context.stop();
}

void asio_runtime::post(std::function<void()> f) {
  asio::post(impl_->context, std::move(f));
}

runtime::time_point asio_runtime::now() const {
  return std::chrono::steady_clock::now();
}

std::unique_ptr<runtime::operation> asio_runtime::at(time_point when,
                                                     std::function<void()> f) {
  return std::make_unique<timer>(impl_->context, when, std::move(f));
}

std::unique_ptr<runtime::operation>
asio_runtime::send(http_request request,
                   std::function<void(expected<http_response>)> f) {
  return begin_http_exchange(impl_->context, std::move(request), std::move(f));
}

std::unique_ptr<runtime::operation>
asio_runtime::call(task_id id, outgoing_message message,
                   std::function<void(expected<std::string>)> f) {
  auto result = std::make_unique<call_operation>(std::move(f));
  result->begin(caller_ ? *caller_ : nobody, std::move(id), std::move(message),
                // The answer may come when this object is gone.
                [weak = std::weak_ptr{impl_}](std::function<void()> g) {
                  if (auto impl = weak.lock())
                    asio::post(impl->context, std::move(g));
                });
  return result;
}

expected<std::vector<std::string>>
asio_runtime::ask(question x) {
  using texts = expected<std::vector<std::string>>;
  // Shared: the answer may come when nobody waits any more.
  auto answer = std::make_shared<std::promise<texts>>();
  auto arrives = answer->get_future();
  (caller_ ? *caller_ : nobody).ask(std::move(x), [answer](texts x) {
    answer->set_value(std::move(x));
  });
  if (arrives.wait_for(answer_max) != std::future_status::ready)
    return error{errc::timeout, "no answer in time"};
  return arrives.get();
}

} // namespace umbel
