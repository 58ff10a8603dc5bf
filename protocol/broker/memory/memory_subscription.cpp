#include "protocol/broker/memory/memory_subscription.hpp"

#include "protocol/broker/fanout.hpp"
#include "protocol/broker/memory/memory_broker.hpp"

namespace umbel {

void memory_mailbox::put(const broadcast& x) {
  std::lock_guard guard{mutex_};
  waiting_.push_back(x);
  if (waiting_.size() > waiting_max)
    waiting_.pop_front();
  changed_.notify_all();
}

std::optional<broadcast>
memory_mailbox::take(std::chrono::milliseconds timeout) {
  std::unique_lock guard{mutex_};
  changed_.wait_for(guard, timeout,
                    [this] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty())
    return std::nullopt;
  std::optional result{std::move(waiting_.front())};
  waiting_.pop_front();
  return result;
}

void memory_mailbox::close() {
  std::lock_guard guard{mutex_};
  closed_ = true;
  changed_.notify_all();
}

namespace {

class memory_subscription final : public subscription {
public:
  memory_subscription(std::shared_ptr<memory_hub> hub,
                      const broker_options& options)
      : hub_(std::move(hub)), options_(options),
        mailbox_(std::make_shared<memory_mailbox>()) {
  }

  expected<void> add(const std::string& exchange,
                     const std::string& pattern) override {
    for (auto& name : fanout_names(options_, exchange, pattern))
      hub_->subscribe(name, mailbox_);
    return {};
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    return mailbox_->take(timeout);
  }

  void close() override {
    mailbox_->close();
  }

private:
  std::shared_ptr<memory_hub> hub_;
  broker_options options_;
  std::shared_ptr<memory_mailbox> mailbox_; // the hub knows it as long as this
};

} // namespace

std::unique_ptr<subscription> subscribe_memory(const std::string& url,
                                               const broker_options& options,
                                               const std::string& exchange,
                                               const std::string& pattern) {
  auto result
    = std::make_unique<memory_subscription>(memory_hub_of(url, options), options);
  [[maybe_unused]] auto done = result->add(exchange, pattern); // never fails
  return result;
}

} // namespace umbel
