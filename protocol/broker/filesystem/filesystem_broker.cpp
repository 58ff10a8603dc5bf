#include "protocol/broker/filesystem/filesystem_broker.hpp"

#include "protocol/broker/fanout.hpp"
#include "protocol/broker/filesystem/exchange.hpp"
#include "protocol/broker/memory/binding.hpp"
#include "protocol/broker/priority.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

using namespace filesystem;

namespace {

// How long to wait for others who hold the lock: each does so for milliseconds.
constexpr std::chrono::milliseconds lock_timeout{10'000};

// Of one `reserve`: nobody else changes anything meanwhile.
constexpr size_t reserve_max = 1'000;

// As long as Celery keeps a command (control_queue_ttl).
constexpr auto broadcast_time = std::chrono::seconds{300};

// How often what nobody has taken is looked for.
constexpr auto sweep_interval = std::chrono::seconds{10};

// A file of a peer's that makes no sense is not yet complete while it is so young.
constexpr auto completion_time = std::chrono::seconds{5};

} // namespace

// -- constructors, destructors ------------------------------------------------

expected<std::unique_ptr<broker>>
connect_filesystem_broker(const std::string& url,
                          const broker_options& options) {
  auto where = open_folders(url, options);
  if (!where)
    return where.error();
  auto arrivals = watch::open(where->in);
  if (!arrivals)
    return arrivals.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<broker> result = std::make_unique<filesystem_broker>(
    std::move(*where), std::move(*arrivals), std::move(*wake), options);
  return result;
}

filesystem_broker::filesystem_broker(folders where, watch arrivals,
                                     wake_event wake,
                                     const broker_options& options)
    : options_(options), where_(std::move(where)),
      arrivals_(std::move(arrivals)), wake_(std::move(wake)),
      owner_(options.node.str() + '/' + options.incarnation),
      mine_(where_.owner(owner_)), next_sequence_(options.first_sequence) {
  if (!options.result_url.starts_with("file://"))
    return;
  auto folder = file_backend::result_folder::open(options.result_url,
                                                  options.results);
  struct stat here {}, there {};
  if (folder && ::stat(where_.own.c_str(), &here) == 0
      && ::stat(folder->path().c_str(), &there) == 0
      && here.st_dev == there.st_dev)
    results_.emplace(std::move(*folder));
}

std::string filesystem_broker::location() const {
  return "filesystem://" + where_.in;
}

expected<transaction> filesystem_broker::begin() {
  return transaction::begin(where_.own, lock_timeout);
}

// -- consuming ----------------------------------------------------------------

// @returns nothing if it is not complete
std::optional<int> filesystem_broker::step_of_foreign(const std::string& name) {
  if (auto i = foreign_.find(name); i != foreign_.end())
    return i->second;
  auto path = where_.in + '/' + name;
  auto text = read_unlocked(path);
  if (!text)
    return std::nullopt;
  auto priority = 0;
  boost::system::error_code failed;
  auto doc = json::parse(*text, failed);
  if (failed)
    if (auto written = time_of(path);
        !written || *written + completion_time > now())
      return std::nullopt;
  if (auto obj = failed ? nullptr : doc.if_object())
    if (auto properties = obj->if_contains("properties");
        properties && properties->is_object())
      if (auto found = properties->get_object().if_contains("priority");
          found && found->is_int64())
        priority = static_cast<int>(std::clamp<int64_t>(found->get_int64(), 0, 9));
  auto step = step_of(options_.priority_steps, priority);
  foreign_.emplace(name, step);
  return step;
}

std::vector<message_file> filesystem_broker::look(const queue_name& queue) {
  std::vector<message_file> result;
  for (auto& name : list(where_.in)) {
    auto file = read_name(name, queue);
    if (!file)
      continue;
    if (file->foreign) {
      auto step = step_of_foreign(name);
      if (!step)
        continue;
      file->step = *step;
    }
    result.push_back(std::move(*file));
  }
  std::ranges::sort(result);
  return result;
}

expected<std::vector<delivery>> filesystem_broker::reserve(size_t max) {
  std::vector<delivery> result;
  drained_ = options_.queues.empty();
  if (max == 0 || options_.queues.empty())
    return result;
  max = std::min(max, reserve_max);
  auto lock = begin();
  if (!lock)
    return lock.error();
  if (auto done = hold_lease(); !done)
    return done.error();
  if (!looked_behind_)
    reclaim(max, result);
  if (looked_behind_)
    if (auto done = take(max, result); !done)
      return done.error();
  drained_ = result.size() < max;
  return result;
}

// What a predecessor of this connection reserved, and did not live to deliver.
void filesystem_broker::reclaim(size_t max, std::vector<delivery>& result) {
  auto found = read_entries(mine_);
  for (auto i = found.lower_bound(next_sequence_);
       i != found.end() && result.size() < max; ++i) {
    auto& [sequence, x] = *i;
    result.push_back({delivery_tag{owner_ + '/' + std::to_string(sequence)},
                      queue_of(x.name), read_file(x.path).value_or("")});
    next_sequence_ = sequence + 1;
  }
  looked_behind_ = result.size() < max;
}

// One message of each queue in turn, step by step; the turn is kept between
// calls. A step is finished when no queue had anything for a whole round.
expected<void> filesystem_broker::take(size_t max,
                                       std::vector<delivery>& result) {
  struct waiting {
    std::vector<message_file> files;
    size_t taken = 0;
  };
  auto& names = options_.queues;
  std::vector<waiting> queues(names.size());
  std::set<int> steps;
  for (size_t i = 0; i < names.size(); ++i) {
    queues[i].files = look(names[i]);
    for (auto& file : queues[i].files)
      steps.insert(file.step);
  }
  for (auto step : steps)
    for (size_t idle = 0; idle < queues.size() && result.size() < max;) {
      auto turn = rotation_++ % queues.size();
      auto& [files, taken] = queues[turn];
      if (taken == files.size() || files[taken].step != step) {
        ++idle;
        continue;
      }
      auto got = take_one(names[turn], files[taken++], result);
      if (!got)
        return got.error();
      if (*got)
        idle = 0;
      else
        --rotation_; // a Python peer was faster: it is still this queue's turn
    }
  if (result.size() < max)
    foreign_.clear(); // those that are left are not there, or not complete
  return {};
}

expected<bool> filesystem_broker::take_one(const queue_name& queue,
                                           const message_file& file,
                                           std::vector<delivery>& result) {
  auto from = where_.in + '/' + file.name;
  auto to = fmt::format("{}/{}.{}.{}", mine_, digits(next_sequence_), file.step,
                        file.name);
  set_time(from, now()); // reserved when: it keeps the stamp
  if (::rename(from.c_str(), to.c_str()) != 0) {
    if (errno == ENOENT && ::access(mine_.c_str(), F_OK) == 0)
      return false;
    return failure("reserve", from);
  }
  foreign_.erase(file.name);
  auto payload = read_file(to);
  if (!payload)
    return failure("read", to);
  result.push_back(
    {delivery_tag{owner_ + '/' + std::to_string(next_sequence_++)}, queue,
     std::move(*payload)});
  return true;
}

expected<void> filesystem_broker::wait(std::chrono::milliseconds timeout) {
  // Whether the folder was replaced is not told to who holds the old one.
  if (::access(where_.in.c_str(), F_OK) != 0)
    return failure("wait for", where_.in);
  if (!drained_)
    return {};
  return arrivals_.wait(wake_, timeout, [&](std::string_view name) {
    return name.empty()
           || std::ranges::any_of(options_.queues, [&](auto& queue) {
                return read_name(name, queue).has_value();
              });
  });
}

expected<void> filesystem_broker::consume(std::span<const queue_name> queues) {
  options_.queues.assign(queues.begin(), queues.end());
  drained_ = false;
  return {};
}

void filesystem_broker::interrupt() noexcept {
  wake_.signal();
}

// -- producing ----------------------------------------------------------------

expected<void> filesystem_broker::put(transaction& change,
                                      const outgoing_message& x) {
  std::set<queue_name> queues;
  if (x.exchange.empty()) {
    queues.insert(x.queue);
  } else {
    if (!x.queue.empty())
      if (auto done = declare({&x.queue, 1}); !done)
        return done;
    auto bound = route(where_.control, x.exchange, x.routing_key,
                       is_fanout(options_, x.exchange));
    if (!bound)
      return bound.error();
    queues = std::move(*bound);
  }
  auto step = step_of(options_.priority_steps, x.priority);
  for (auto& queue : queues)
    change.write(x.payload,
                 where_.out + '/' + new_name(queue, step, place::last));
  return {};
}

expected<void> filesystem_broker::declare(std::span<const queue_name> queues) {
  for (auto& queue : queues) {
    auto way = binding_of(options_, queue.str());
    auto pattern = way.exchange_type == "topic"
                     ? topic_regex(way.routing_key)
                     : std::string{};
    if (auto done = filesystem::bind(where_.control, way.exchange,
                                     way.routing_key, pattern, queue);
        !done)
      return done;
  }
  return {};
}

expected<void>
filesystem_broker::publish(std::span<const outgoing_message> batch) {
  if (batch.empty())
    return {};
  auto change = begin();
  if (!change)
    return change.error();
  for (auto& x : batch)
    if (auto done = put(*change, x); !done)
      return done;
  return change->commit();
}

expected<size_t> filesystem_broker::publish(const std::string& exchange,
                                            const std::string& routing_key,
                                            const std::string& payload,
                                            int priority) {
  auto queues = route(where_.control, exchange, routing_key,
                      is_fanout(options_, exchange));
  if (!queues)
    return queues.error();
  if (is_fanout(options_, exchange))
    sweep_mailboxes(exchange, *queues);
  std::vector<outgoing_message> batch;
  for (auto& queue : *queues)
    batch.push_back({queue, priority, payload});
  if (auto done = publish(batch); !done)
    return done.error();
  return batch.size();
}

// Those who listened and were killed are still bound: what nobody has taken for so
// long goes, and the bindings of those who listened to events, which nobody will use
// again. (Workers come back under their names.)
void filesystem_broker::sweep_mailboxes(
  const std::string& exchange, const std::set<queue_name>& mailboxes) {
  auto time = std::chrono::steady_clock::now();
  if (mailboxes.empty() || (swept_ && time < *swept_ + sweep_interval))
    return;
  swept_ = time;
  for (auto& name : list(where_.out)) {
    auto is_of = [&](auto& queue) { return read_name(name, queue).has_value(); };
    auto mailbox = std::ranges::find_if(mailboxes, is_of);
    if (mailbox == mailboxes.end())
      continue;
    auto path = where_.out + '/' + name;
    auto put = time_of(path);
    if (!put || *put + broadcast_time >= now())
      continue;
    ::unlink(path.c_str());
    if (exchange == options_.event_exchange)
      [[maybe_unused]] auto done = unbind_all(where_.control, exchange, *mailbox);
  }
}

// -- looking ------------------------------------------------------------------

expected<size_t> filesystem_broker::size(const queue_name& queue) {
  auto names = list(where_.in);
  return static_cast<size_t>(std::ranges::count_if(names, [&](auto& x) {
    return read_name(x, queue).has_value();
  }));
}

expected<size_t> filesystem_broker::purge(const queue_name& queue) {
  size_t result = 0;
  auto lock = begin();
  if (!lock)
    return lock.error();
  for (auto& name : list(where_.in)) {
    if (!read_name(name, queue))
      continue;
    auto path = where_.in + '/' + name;
    if (::unlink(path.c_str()) == 0)
      ++result;
    else if (errno != ENOENT)
      return failure("remove", path);
  }
  return result;
}

} // namespace umbel
