#include "apps/client/migrate_command.hpp"

#include "apps/configure.hpp"
#include "apps/consumed_queues.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/end_signal.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <utility>

namespace umbel::client {

namespace {

using clock = std::chrono::steady_clock;

// Messages that are under way at once: what is lost of them if this is killed
// comes back to the source.
constexpr size_t batch_max = 100;

// Between two looks at whether it is over.
constexpr std::chrono::milliseconds look_interval{500};

// Between two rounds that both found only what stays: from, and to.
constexpr std::chrono::milliseconds pause_min{500};
constexpr std::chrono::milliseconds pause_max{5'000};

// What RabbitMQ sends before anything is settled: more it cannot count.
constexpr size_t ahead_max = 65'535;

// It takes back what is held for longer than its consumer_timeout, half an hour.
constexpr std::chrono::minutes hold_max{10};

expected<std::unique_ptr<broker>> open(const std::string& url,
                                       const settings& from,
                                       std::vector<queue_name> queues) {
  auto options = to_broker_options(from);
  options.incarnation = make_uuid();
  options.node = node_name{"migrate@" + options.incarnation};
  options.queues = std::move(queues);
  options.prefetch = batch_max;
  options.prefetch_max = ahead_max;
  return connect_broker(url, options);
}

const char* plural(size_t n) {
  return n == 1 ? "" : "s";
}

/// From one broker to another. What is unique stays: the destination cannot tell it
/// from a second one with its key. So do tasks that are not meant.
class migration {
public:
  /// Of one batch.
  struct batch {
    size_t size = 0;
    bool full = false; ///< there may be more at once
  };

  migration(broker& from, broker& to, const migrate_options& how)
      : from_(from), to_(to), how_(how) {
  }

  expected<batch> move() {
    if (auto done = keep_lease(); !done)
      return done.error();
    if (held_.empty()) { // what stays is seen again
      kept_ = 0;
      held_since_ = clock::now();
    }
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
    const batch result{taken->size(), taken->size() == max};
    auto published = to_.publish(messages);
    if (!published || how_.copy)
      std::ranges::move(settlements, std::back_inserter(held_));
    if (!published)
      return published.error();
    moved_ += messages.size();
    if (how_.copy)
      return result;
    auto settled = from_.settle(settlements);
    if (!settled)
      return settled.error();
    lost_ += static_cast<size_t>(std::ranges::count(*settled, false));
    return result;
  }

  bool is_complete() const noexcept {
    return how_.limit != 0 && moved_ >= how_.limit;
  }

  /// Puts back what stays, to where it was.
  expected<void> end() {
    // The one that was taken last is to be the last one again.
    std::ranges::reverse(held_);
    return put_back(disposition::restore);
  }

  /// Whether workers of the source are to have what stays before the end.
  bool has_to_rest() const {
    if (held_.empty())
      return false;
    return !from_.reserved_until().ends_with_connection
           || held_.size() >= ahead_max || clock::now() - held_since_ >= hold_max;
  }

  /// Lets them have it, before it is looked at again.
  expected<void> rest() {
    // RabbitMQ counts how often a message comes back, and drops it in the end from a
    // quorum queue. So it is published anew, which it does not count.
    return from_.reserved_until().ends_with_connection
             ? put_back(disposition::requeue)
             : end();
  }

  /// What is in the queues of the source still, and was not looked at, for what is
  /// held is too much.
  expected<size_t> count_unseen(std::span<const queue_name> queues) {
    size_t to = 0;
    if (!held_.empty())
      for (auto& queue : queues) {
        auto n = from_.size(queue);
        if (!n)
          return n.error();
        to += *n;
      }
    return to;
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

  expected<void> put_back(disposition how) {
    for (auto& x : held_)
      x.how = how;
    auto done = from_.settle(std::exchange(held_, {}));
    return done ? expected<void>{} : done.error();
  }

  broker& from_;
  broker& to_;
  const migrate_options& how_;
  std::vector<settlement> held_; ///< goes back in the end
  clock::time_point held_since_{}; ///< the first of them
  clock::time_point renewal_{};
  size_t moved_ = 0;
  size_t kept_ = 0;
  size_t lost_ = 0;
};

/// @returns early when it is stopped
void sleep(std::chrono::milliseconds pause) {
  for (auto end = clock::now() + pause; !end_signalled() && clock::now() < end;)
    std::this_thread::sleep_for(std::min(pause, look_interval));
}

/// Until nothing has come for a while.
expected<void> move_all(migration& moving, broker& from,
                        const migrate_options& how) {
  auto last = clock::now(); // when something came
  while (!moving.is_complete() && !end_signalled()) {
    auto batch = moving.move();
    if (!batch)
      return batch.error();
    if (batch->size > 0) {
      last = clock::now();
      continue;
    }
    // Some brokers send messages unasked: they may be on their way.
    auto left = std::chrono::ceil<std::chrono::milliseconds>(last + how.timeout
                                                             - clock::now());
    if (left.count() <= 0)
      break;
    if (auto done = from.wait(std::min(left, look_interval)); !done)
      return done;
  }
  return {};
}

/// Until it is stopped, or complete.
expected<void> move_for_ever(migration& moving, broker& from) {
  auto pause = pause_min;
  size_t moved = 0; // before this round
  while (!moving.is_complete() && !end_signalled()) {
    auto batch = moving.move();
    if (!batch)
      return batch.error();
    if (batch->full)
      continue;
    if (!moving.has_to_rest()) {
      if (auto done = from.wait(look_interval); !done)
        return done;
      continue;
    }
    if (auto done = moving.rest(); !done)
      return done;
    // It is in the queue again, so that there is nothing to wait for.
    pause = moving.moved() > std::exchange(moved, moving.moved())
              ? pause_min
              : std::min(2 * pause, pause_max);
    sleep(pause);
  }
  return {};
}

void show(const migration& moving, const broker& to, bool copied) {
  std::printf("%zu message%s %s to %s\n", moving.moved(), plural(moving.moved()),
              copied ? "copied" : "moved", to.location().c_str());
  if (moving.kept() > 0)
    std::printf("%zu with a unique key or to be published once stay: their "
                "workers have to finish them\n",
                moving.kept());
  if (moving.lost() > 0)
    std::printf("%zu of them may run twice: it took so long that workers of the "
                "source had them again\n",
                moving.lost());
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
  expect_end_signal({SIGINT, SIGTERM}, SA_RESETHAND);
  migration moving{**from, **to, how};
  auto moved = how.forever ? move_for_ever(moving, **from)
                           : move_all(moving, **from, how);
  auto unseen = expected<size_t>{0};
  if (moved && !how.forever && !end_signalled() && !moving.is_complete())
    unseen = moving.count_unseen(queues);
  auto done = moving.end();
  if (done)
    done = (*from)->release();
  show(moving, **to, how.copy);
  auto status = int{exit_ok};
  auto check = [&](const auto& x) {
    if (!x)
      status = refuse(name, x.error());
  };
  check(done);
  check(unseen);
  check(moved);
  if (status != exit_ok)
    return status;
  if (*unseen > 0)
    return refuse(name,
                  std::to_string(*unseen) + " remain in the source that were not "
                      "looked at: " + (*from)->location() + " sends no more before "
                      "what stays is back",
                  exit_failure);
  return exit_ok;
}

} // namespace umbel::client
