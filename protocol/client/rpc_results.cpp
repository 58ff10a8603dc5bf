#include "protocol/client/rpc_results.hpp"

#include "protocol/broker/subscription.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <unordered_map>
#include <utility>

namespace umbel {

namespace {

// Of answers to commands; any direct exchange would do.
constexpr auto exchange = "reply.celery.pidbox";

// Results that nobody has asked for. When there are more, the oldest goes.
constexpr size_t kept_max = 10'000;

// An interrupt is noticed within that.
constexpr auto step = std::chrono::milliseconds{20};

class mailbox {
public:
  explicit mailbox(std::unique_ptr<subscription> from)
      : from_(std::move(from)) {
  }

  /// Reads what is there, after a wait for the first if nothing is.
  expected<std::vector<result_record>> read(std::chrono::milliseconds timeout) {
    std::vector<result_record> to;
    for (;;) {
      auto heard = from_->next(to.empty() ? timeout
                                          : std::chrono::milliseconds{0});
      if (!heard)
        return heard.error();
      if (!*heard)
        return to;
      if (auto record = parse((*heard)->payload)) {
        keep(*record);
        to.push_back(std::move(*record));
      }
    }
  }

  std::optional<std::string> find(const task_id& id) const {
    auto i = kept_.find(id);
    return i != kept_.end() ? std::optional{i->second} : std::nullopt;
  }

  void forget(const task_id& id) {
    kept_.erase(id);
  }

  std::atomic<bool> interrupted = false;

private:
  static std::optional<result_record> parse(const std::string& text) {
    auto message = parse_envelope(text);
    if (!message)
      return std::nullopt; // from a stranger
    auto* id = message->properties.if_contains("correlation_id");
    if (!id || !id->is_string())
      return std::nullopt;
    return result_record{task_id{std::string{id->get_string()}},
                         std::move(message->body)};
  }

  void keep(const result_record& x) {
    if (kept_.insert_or_assign(x.id, x.document).second)
      order_.push_back(x.id);
    while (order_.size() > kept_max) {
      kept_.erase(order_.front());
      order_.pop_front();
    }
  }

  std::unique_ptr<subscription> from_;
  std::unordered_map<task_id, std::string> kept_;
  std::deque<task_id> order_; ///< of those that came, the oldest first
};

class listener final : public result_listener {
public:
  explicit listener(std::shared_ptr<mailbox> at) : at_(std::move(at)) {
  }

  expected<void> subscribe(std::span<const task_id>) override {
    return {};
  }

  expected<void> unsubscribe(std::span<const task_id>) override {
    return {};
  }

  expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) override {
    auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
      auto arrived = at_->read(
        std::clamp(left, std::chrono::milliseconds{0}, step));
      if (!arrived || !arrived->empty() || left.count() <= 0
          || at_->interrupted.exchange(false))
        return arrived;
    }
  }

  void interrupt() noexcept override {
    at_->interrupted = true;
  }

private:
  std::shared_ptr<mailbox> at_;
};

class kept_results final : public result_store {
public:
  explicit kept_results(std::shared_ptr<mailbox> at) : at_(std::move(at)) {
  }

  std::string location() const override {
    return "rpc://";
  }

  expected<void> store(std::span<const result_record>) override {
    return error{errc::unsupported, "rpc:// stores nothing"};
  }

  expected<std::optional<std::string>> fetch(const task_id& id) override {
    if (auto arrived = at_->read(std::chrono::milliseconds{0}); !arrived)
      return arrived.error();
    return at_->find(id);
  }

  expected<void> forget(const task_id& id) override {
    at_->forget(id);
    return {};
  }

private:
  std::shared_ptr<mailbox> at_;
};

} // namespace

std::string rpc_address(const std::string& key) {
  return key + '.' + exchange;
}

expected<result_connections> open_rpc_results(const std::string& broker_url,
                                              broker_options options,
                                              const std::string& key) {
  options.node = node_name{key};
  options.incarnation = key;
  options.queues.clear();
  // Results wait until somebody asks for them, however long the program does something
  // else: they must not end with a heartbeat that nobody has sent, nor sooner than
  // elsewhere.
  options.heartbeat = std::chrono::seconds{0};
  broadcast_options how;
  how.control.ttl.reset();
  how.control.expires.reset();
  if (options.results.result_expires.count() > 0)
    how.control.expires = options.results.result_expires;
  auto opened = open_mailbox(broker_url, options, exchange, key, how);
  if (!opened)
    return opened.error();
  if (!*opened)
    return error{errc::unsupported,
                 "over this broker there are no results by rpc://"};
  auto at = std::make_shared<mailbox>(std::move(*opened));
  return result_connections{std::make_unique<listener>(at),
                            std::make_unique<kept_results>(at)};
}

} // namespace umbel
