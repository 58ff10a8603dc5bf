#include "protocol/backend/memory/memory_result_listener.hpp"

#include "protocol/backend/memory/memory_result_store.hpp"
#include "protocol/backend/memory/result_table.hpp"

namespace umbel {

namespace {

class memory_result_listener final : public result_listener {
public:
  explicit memory_result_listener(std::shared_ptr<result_table> table)
      : table_(std::move(table)) {
    table_->add_mailbox(mailbox_);
  }

  expected<void> subscribe(std::span<const task_id> ids) override {
    mailbox_->subscribe(ids);
    return {};
  }

  expected<void> unsubscribe(std::span<const task_id> ids) override {
    mailbox_->unsubscribe(ids);
    return {};
  }

  expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) override {
    return mailbox_->wait(timeout);
  }

  void interrupt() noexcept override {
    mailbox_->interrupt();
  }

private:
  std::shared_ptr<result_table> table_;
  std::shared_ptr<result_mailbox> mailbox_ = std::make_shared<result_mailbox>();
};

} // namespace

std::unique_ptr<result_listener>
connect_memory_result_listener(const std::string& url,
                               const result_store_options& options) {
  return std::make_unique<memory_result_listener>(
      result_table_of(url, options));
}

void result_mailbox::subscribe(std::span<const task_id> ids) {
  std::lock_guard guard{mutex_};
  ids_.insert(ids.begin(), ids.end());
}

void result_mailbox::unsubscribe(std::span<const task_id> ids) {
  std::lock_guard guard{mutex_};
  for (auto& id : ids)
    ids_.erase(id);
}

void result_mailbox::put(const result_record& x) {
  std::lock_guard guard{mutex_};
  if (!ids_.contains(x.id))
    return;
  arrived_.push_back(x);
  changed_.notify_one();
}

std::vector<result_record>
result_mailbox::wait(std::chrono::milliseconds timeout) {
  std::unique_lock guard{mutex_};
  changed_.wait_for(guard, timeout,
                    [this] { return interrupted_ || !arrived_.empty(); });
  interrupted_ = false;
  return std::exchange(arrived_, {});
}

void result_mailbox::interrupt() {
  std::lock_guard guard{mutex_};
  interrupted_ = true;
  changed_.notify_one();
}

} // namespace umbel
