#include "apps/client/queue_command.hpp"

#include "apps/configure.hpp"
#include "apps/consumed_queues.hpp"
#include "apps/exit_status.hpp"
#include "apps/purge.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <unistd.h>

namespace umbel::client {

namespace {

// Messages that are under way at once: what is lost of them if this is killed
// comes back to the source.
constexpr size_t batch_max = 100;

expected<std::unique_ptr<broker>> open(const std::string& url,
                                       const settings& from,
                                       std::vector<queue_name> queues) {
  auto options = to_broker_options(from);
  options.incarnation = make_uuid();
  options.node = node_name{"migrate@" + options.incarnation};
  options.queues = std::move(queues);
  options.prefetch = batch_max;
  return connect_broker(url, options);
}

const char* plural(size_t n) {
  return n == 1 ? "" : "s";
}

/// From one broker to another. What is unique stays: the destination cannot tell it
/// from a second one with its key. So do tasks that are not meant.
class migration {
public:
  /// @param tasks that are meant; none: all
  migration(broker& from, broker& to, const std::vector<std::string>& tasks)
      : from_(from), to_(to), tasks_(tasks) {
  }

  /// Moves one batch. @returns how many messages it had
  expected<size_t> move(size_t max) {
    auto taken = from_.reserve(max);
    if (!taken)
      return taken.error();
    std::vector<outgoing_message> messages;
    std::vector<settlement> settlements;
    for (auto& x : *taken) {
      settlement done;
      done.tag = x.tag;
      done.queue = x.queue;
      if (read_unique_terms(x.payload)) {
        kept_.push_back(std::move(done));
        continue;
      }
      auto header = read_task_header(x.payload);
      if (!tasks_.empty()
          && std::ranges::find(tasks_, header ? header->task : std::string{})
               == tasks_.end()) {
        others_.push_back(std::move(done));
        continue;
      }
      messages.push_back({x.queue, header ? header->priority : 0, x.payload});
      settlements.push_back(std::move(done));
    }
    if (auto done = to_.publish(messages); !done) {
      put_back(settlements);
      return done.error();
    }
    auto settled = from_.settle(settlements);
    if (!settled)
      return settled.error();
    moved_ += settlements.size();
    lost_ += static_cast<size_t>(std::ranges::count(*settled, false));
    return taken->size();
  }

  /// Puts back what stays.
  expected<void> end() {
    auto done = put_back(kept_);
    auto others = put_back(others_);
    return done ? others : done;
  }

  size_t moved() const noexcept {
    return moved_;
  }

  size_t kept() const noexcept {
    return kept_.size();
  }

  /// Of those that were moved, what others had taken meanwhile from the source.
  size_t lost() const noexcept {
    return lost_;
  }

private:
  expected<void> put_back(std::vector<settlement> what) {
    for (auto& x : what)
      x.how = disposition::restore;
    if (auto done = from_.settle(what); !done)
      return done.error();
    return {};
  }

  broker& from_;
  broker& to_;
  const std::vector<std::string>& tasks_;
  std::vector<settlement> kept_;
  std::vector<settlement> others_; ///< of tasks that are not meant
  size_t moved_ = 0;
  size_t lost_ = 0;
};

} // namespace

int purge(const std::string& name, const options& given,
          const std::vector<std::string>& names,
          const std::vector<std::string>& excluded, bool force) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  worker_config config;
  config.broker = to_broker_options(*loaded);
  config.broker.incarnation = make_uuid();
  config.broker.node = node_name{"purge@" + config.broker.incarnation};
  config.broker.queues = chosen_queues(names, *loaded);
  for (auto& queue : excluded)
    if (std::erase(config.broker.queues, queue_name{queue}) == 0)
      return refuse(name,
                    "option --exclude-queues: '" + queue
                      + "' is not among the queues",
                    exit_usage);
  if (config.broker.queues.empty())
    return refuse(name, "option --exclude-queues: no queue is left to purge",
                  exit_usage);
  config.settings = std::move(*loaded);
  if (!force && ::isatty(STDIN_FILENO) == 0)
    return refuse(name, "there is no terminal to ask on; add --force to "
                        "delete without asking",
                  exit_usage);
  if (!force) {
    auto confirmed = confirm_purge(config, name);
    if (!confirmed)
      return refuse(name, confirmed.error());
    if (!*confirmed)
      return exit_failure;
  }
  auto done = umbel::purge(config);
  if (!done)
    return refuse(name, done.error());
  std::printf("%s\n", done->c_str());
  return exit_ok;
}

int migrate(const std::string& name, const options& given,
            const std::string& source, const std::string& destination,
            const std::vector<std::string>& names,
            const std::vector<std::string>& tasks, size_t limit) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  auto queues = chosen_queues(names, *loaded);
  auto from = open(source, *loaded, queues);
  if (!from)
    return refuse(name, from.error());
  auto to = open(destination, *loaded, {});
  if (!to)
    return refuse(name, to.error());
  if ((*to)->location() == (*from)->location())
    return refuse(name, "source and destination are the same", exit_usage);
  if (auto done = (*to)->declare(queues); !done)
    return refuse(name, done.error());
  if (auto done = (*from)->renew({}); !done)
    return refuse(name, done.error());
  migration moving{**from, **to, tasks};
  auto rests = false; // nothing was there the last time
  while (limit == 0 || moving.moved() < limit) {
    auto max =
        limit == 0 ? batch_max : std::min(batch_max, limit - moving.moved());
    auto n = moving.move(max);
    if (!n) {
      moving.end();
      return refuse(name, n.error());
    }
    // Some brokers send messages unasked: they may be on their way.
    if (*n == 0 && std::exchange(rests, true))
      break;
    rests = *n == 0;
    if (auto done = rests ? (*from)->wait(std::chrono::milliseconds{500})
                          : expected<void>{};
        !done)
      return refuse(name, done.error());
  }
  if (auto done = moving.end(); !done)
    return refuse(name, done.error());
  if (auto done = (*from)->release(); !done)
    return refuse(name, done.error());
  std::printf("%zu message%s moved to %s\n", moving.moved(),
              plural(moving.moved()), (*to)->location().c_str());
  if (moving.kept() > 0)
    std::printf("%zu with a unique key or to be published once stay: their "
                "workers have to finish them\n",
                moving.kept());
  if (moving.lost() > 0)
    std::printf("%zu of them may run twice: it took so long that workers of the "
                "source had them again\n",
                moving.lost());
  return exit_ok;
}

} // namespace umbel::client
