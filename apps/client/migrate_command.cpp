#include "apps/client/migrate_command.hpp"

#include "apps/configure.hpp"
#include "apps/consumed_queues.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

namespace umbel::client {

namespace {

using clock = std::chrono::steady_clock;

// Messages that are under way at once: what is lost of them if this is killed
// comes back to the source.
constexpr size_t batch_max = 100;

// Between two looks at whether it is over.
constexpr std::chrono::milliseconds look_interval{500};

volatile std::sig_atomic_t stopped = 0;

/// SIGINT and SIGTERM end it between two batches.
void stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stopped = 1; };
  action.sa_flags = SA_RESETHAND; // the second one kills
  for (auto signal : {SIGINT, SIGTERM})
    sigaction(signal, &action, nullptr);
}

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
  migration(broker& from, broker& to, const migrate_options& how)
      : from_(from), to_(to), how_(how) {
  }

  /// Moves one batch. @returns how many messages it had
  expected<size_t> move() {
    if (auto done = keep_lease(); !done)
      return done.error();
    auto max = how_.limit == 0 ? batch_max
                               : std::min(batch_max, how_.limit - moved_);
    auto taken = from_.reserve(max);
    if (!taken)
      return taken.error();
    std::vector<outgoing_message> messages;
    std::vector<settlement> settlements;
    for (auto& x : *taken) {
      settlement done;
      done.tag = x.tag;
      done.queue = x.queue;
      auto header = read_task_header(x.payload);
      if (read_unique_terms(x.payload)) {
        ++kept_;
        held_.push_back(std::move(done));
      } else if (!is_meant(header ? header->task : std::string{})) {
        held_.push_back(std::move(done));
      } else {
        messages.push_back({x.queue, header ? header->priority : 0, x.payload});
        settlements.push_back(std::move(done));
      }
    }
    if (auto done = to_.publish(messages); !done) {
      put_back(settlements);
      return done.error();
    }
    moved_ += settlements.size();
    if (how_.copy) {
      std::ranges::move(settlements, std::back_inserter(held_));
      return taken->size();
    }
    auto settled = from_.settle(settlements);
    if (!settled)
      return settled.error();
    lost_ += static_cast<size_t>(std::ranges::count(*settled, false));
    return taken->size();
  }

  bool is_complete() const noexcept {
    return how_.limit != 0 && moved_ >= how_.limit;
  }

  /// Puts back what stays.
  expected<void> end() {
    return put_back(std::exchange(held_, {}));
  }

  /// Lets workers of the source have what stays, before it is looked at again.
  expected<void> rest() {
    kept_ = 0;
    return end();
  }

  size_t moved() const noexcept {
    return moved_;
  }

  /// Of those that are meant, what has to stay.
  size_t kept() const noexcept {
    return kept_;
  }

  /// Of those that were moved, what others had taken meanwhile from the source.
  size_t lost() const noexcept {
    return lost_;
  }

private:
  bool is_meant(const std::string& task) const {
    return how_.tasks.empty()
           || std::ranges::find(how_.tasks, task) != how_.tasks.end();
  }

  /// Of what is held until the end, too.
  expected<void> keep_lease() {
    if (clock::now() < renewal_)
      return {};
    renewal_ = clock::now() + std::chrono::seconds{2};
    std::vector<delivery_tag> tags;
    for (auto& x : held_)
      tags.push_back(x.tag);
    return from_.renew(tags);
  }

  expected<void> put_back(std::vector<settlement> what) {
    for (auto& x : what)
      x.how = disposition::restore;
    // The one that was taken last is to be the last one again.
    std::ranges::reverse(what);
    if (auto done = from_.settle(what); !done)
      return done.error();
    return {};
  }

  broker& from_;
  broker& to_;
  const migrate_options& how_;
  std::vector<settlement> held_; ///< goes back in the end
  clock::time_point renewal_{};
  size_t moved_ = 0;
  size_t kept_ = 0;
  size_t lost_ = 0;
};

/// Until nothing is left, or for ever.
expected<void> move_all(migration& moving, broker& from,
                        const migrate_options& how) {
  auto last = clock::now(); // when something came
  while (!moving.is_complete() && !stopped) {
    auto n = moving.move();
    if (!n)
      return n.error();
    if (*n > 0) {
      last = clock::now();
      continue;
    }
    // Some brokers send messages unasked: they may be on their way.
    auto left = std::chrono::ceil<std::chrono::milliseconds>(last + how.timeout
                                                             - clock::now());
    if (!how.forever && left.count() <= 0)
      break;
    if (auto done = how.forever ? moving.rest() : expected<void>{}; !done)
      return done;
    if (auto done = from.wait(how.forever ? look_interval
                                          : std::min(left, look_interval));
        !done)
      return done;
  }
  return {};
}

} // namespace

int migrate(const std::string& name, const options& given,
            const migrate_options& how) {
  if (how.forever && how.copy)
    return refuse(name,
                  "--copy with --forever: what is copied is held back until the end, "
                  "and there is none",
                  exit_usage);
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  auto queues = chosen_queues(how.queues, *loaded);
  auto from = open(how.source, *loaded, queues);
  if (!from)
    return refuse(name, from.error());
  auto to = open(how.destination, *loaded, {});
  if (!to)
    return refuse(name, to.error());
  if ((*to)->location() == (*from)->location())
    return refuse(name, "source and destination are the same", exit_usage);
  if (auto done = (*to)->declare(queues); !done)
    return refuse(name, done.error());
  stop_on_signals();
  migration moving{**from, **to, how};
  auto moved = move_all(moving, **from, how);
  auto done = moving.end();
  if (!moved)
    return refuse(name, moved.error());
  if (!done)
    return refuse(name, done.error());
  if (done = (*from)->release(); !done)
    return refuse(name, done.error());
  std::printf("%zu message%s %s to %s\n", moving.moved(),
              plural(moving.moved()), how.copy ? "copied" : "moved",
              (*to)->location().c_str());
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
