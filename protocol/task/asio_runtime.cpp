#include "protocol/task/asio_runtime.hpp"

#include "protocol/task/http_exchange.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

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

} // namespace

asio_runtime::asio_runtime() : impl_(std::make_unique<implementation>()) {
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

} // namespace umbel
