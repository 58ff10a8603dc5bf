#include "protocol/broker/filesystem/filesystem_subscription.hpp"

#include "protocol/broker/filesystem/exchange.hpp"
#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/broker/filesystem/watch.hpp"
#include "protocol/broker/wake_event.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

#include <algorithm>
#include <atomic>

#include <unistd.h>

namespace umbel {

using namespace filesystem;

namespace {

using clock = std::chrono::steady_clock;

/// What leads to the one who listens.
struct binding_row {
  std::string exchange;
  std::string key;
  std::string pattern; ///< of a topic; else empty
  queue_name queue;
};

class filesystem_subscription final : public subscription {
public:
  filesystem_subscription(folders where, watch arrivals, wake_event wake,
                          binding_row row)
      : where_(std::move(where)), arrivals_(std::move(arrivals)),
        wake_(std::move(wake)), row_(std::move(row)) {
  }

  ~filesystem_subscription() override {
    // If it fails, what comes is swept (filesystem_broker::publish).
    [[maybe_unused]] auto done = unbind(where_.control, row_.exchange, row_.key,
                                        row_.pattern, row_.queue);
    forget_all();
  }

  /// What was broadcast to an earlier life of this node is missed.
  expected<void> begin() {
    forget_all();
    return filesystem::bind(where_.control, row_.exchange, row_.key, row_.pattern,
                            row_.queue);
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    for (auto end = clock::now() + timeout;;) {
      if (::access(where_.in.c_str(), F_OK) != 0)
        return failure("wait for", where_.in);
      auto x = take();
      auto left
        = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
      if (x || closed_ || left.count() <= 0)
        return x;
      auto wanted = [this](std::string_view name) {
        return name.empty() || read_name(name, row_.queue).has_value();
      };
      if (auto done = arrivals_.wait(wake_, left, wanted); !done)
        return done.error();
    }
  }

  void close() override {
    closed_ = true;
    wake_.signal();
  }

private:
  std::vector<message_file> look() const {
    std::vector<message_file> result;
    for (auto& name : list(where_.in))
      if (auto file = read_name(name, row_.queue))
        result.push_back(std::move(*file));
    std::ranges::sort(result, {}, &message_file::number);
    return result;
  }

  // The first that is a whole message; whoever writes the others closes them later.
  std::optional<broadcast> take() const {
    for (auto& file : look()) {
      auto path = where_.in + '/' + file.name;
      auto text = read_unlocked(path);
      boost::system::error_code failed;
      if (!text || (json::parse(*text, failed), failed))
        continue;
      ::unlink(path.c_str());
      return broadcast{row_.exchange, std::move(*text)};
    }
    return std::nullopt;
  }

  void forget_all() const {
    for (auto& file : look())
      ::unlink((where_.in + '/' + file.name).c_str());
  }

  folders where_;
  watch arrivals_;
  wake_event wake_;
  binding_row row_;
  std::atomic<bool> closed_ = false;
};

expected<std::unique_ptr<subscription>>
listen(const std::string& url, const broker_options& options, binding_row row) {
  auto where = open_folders(url, options);
  if (!where)
    return where.error();
  auto arrivals = watch::open(where->in);
  if (!arrivals)
    return arrivals.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  auto result = std::make_unique<filesystem_subscription>(
    std::move(*where), std::move(*arrivals), std::move(*wake), std::move(row));
  if (auto done = result->begin(); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

} // namespace

// The queues have the names that Celery gives a worker's mailbox, who listens to
// events, and who waits for answers.

expected<std::unique_ptr<subscription>>
subscribe_filesystem(const std::string& url, const broker_options& options,
                     const std::string& exchange, const std::string& pattern,
                     const std::string& prefix) {
  if (pattern.empty())
    return listen(url, options,
                  {exchange, {}, {},
                   queue_name{options.node.str() + '.' + exchange}});
  return listen(url, options,
                {exchange, pattern, pattern_of(pattern),
                 queue_name{prefix + '.' + make_uuid()}});
}

expected<std::unique_ptr<subscription>>
open_filesystem_mailbox(const std::string& url, const broker_options& options,
                        const std::string& exchange, const std::string& key) {
  return listen(url, options,
                {exchange, key, {}, queue_name{key + '.' + exchange}});
}

} // namespace umbel
