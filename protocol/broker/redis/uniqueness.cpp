#include "protocol/broker/redis/uniqueness.hpp"

#include "protocol/broker/redis/scripts.hpp"

#include <utility>

namespace umbel::redis {

namespace {

class redis_unique_locks final : public unique_locks {
public:
  redis_unique_locks(std::unique_ptr<connection> main,
                     const broker_options& options)
      : main_(std::move(main)), names_(options) {
  }

  expected<std::string> claim(const std::string& key, const std::string& id,
                              std::chrono::milliseconds held_for) override {
    auto holder = run(key, id, held_for);
    if (!holder)
      return holder.error();
    return std::string{text_of(**holder)};
  }

  expected<void> release(const std::string& key,
                         const std::string& id) override {
    auto done = run(key, id, std::chrono::milliseconds{0});
    if (!done)
      return done.error();
    return {};
  }

private:
  expected<reply> run(const std::string& key, const std::string& id,
                      std::chrono::milliseconds held_for) {
    pipeline commands;
    commands.begin(6).arg("EVALSHA").arg(scripts::unique.sha).arg("1");
    commands.arg(names_.unique(key)).arg(id);
    commands.arg(std::to_string(held_for.count()));
    auto replies = main_->check(commands, "look at the key of a unique task");
    if (!replies)
      return replies.error();
    return std::move(replies->front());
  }

  std::unique_ptr<connection> main_;
  keys names_;
};

} // namespace

expected<void> publish_checked(connection& main, const keys& names,
                               const outgoing_message& x,
                               const unique_terms& terms) {
  pipeline commands;
  commands.begin(10).arg("EVALSHA").arg(scripts::publish_once.sha).arg("3");
  commands.arg(names.list(x.queue.str(), x.priority));
  commands.arg(names.unique(terms.key)).arg(names.published(terms.id));
  commands.arg(x.payload).arg(terms.id);
  commands.arg(terms.key.empty() ? "0"
                                 : std::to_string(terms.held_for.count()));
  commands.arg(std::to_string(terms.once.count()));
  auto replies = main.check(commands, "publish a unique message");
  if (!replies)
    return replies.error();
  if (auto holder = text_of(*replies->front()); !holder.empty())
    return error{errc::duplicate, describe_duplicate(terms, holder)};
  return {};
}

expected<std::unique_ptr<unique_locks>>
connect_unique_locks(const std::string& url, const broker_options& options) {
  connection_options how;
  how.connect_timeout = options.connect_timeout;
  how.socket_timeout = options.socket_timeout;
  how.scripts = {&scripts::unique};
  auto main = connection::open(url, how);
  if (!main)
    return main.error();
  std::unique_ptr<unique_locks> result
      = std::make_unique<redis_unique_locks>(std::move(*main), options);
  return result;
}

} // namespace umbel::redis
