// The part of filesystem_broker for what nobody has in hand: what others left,
// delayed messages, and turns under shared rate limits.
#include "protocol/broker/filesystem/filesystem_broker.hpp"
#include "protocol/broker/rate_bucket.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

using namespace filesystem;

namespace {

// Of one transaction: nobody else changes anything meanwhile.
constexpr size_t messages_per_commit = 500;

// How long a tag's `none` settlement is known as carried out: nobody resends it
// later than that.
constexpr auto remembered = std::chrono::hours{1};

void sweep(const std::string& folder, timestamp before) {
  for (auto& name : list(folder)) {
    auto path = folder + '/' + name;
    if (auto time = time_of(path); time && *time < before)
      ::unlink(path.c_str());
  }
}

/// A delayed message's file: "<due>.<step>.<name>".
struct delayed_file {
  timestamp due;
  int step = 0;
  std::string name;
};

std::optional<delayed_file> read_delayed(const std::string& file) {
  delayed_file result;
  uint64_t due = 0;
  auto end = file.data() + file.size();
  auto first = std::from_chars(file.data(), end, due);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.')
    return std::nullopt;
  auto second = std::from_chars(first.ptr + 1, end, result.step);
  if (second.ec != std::errc{} || second.ptr == end || *second.ptr != '.')
    return std::nullopt;
  result.due = timestamp{std::chrono::microseconds{due}};
  result.name = file.substr(static_cast<size_t>(second.ptr + 1 - file.data()));
  return result;
}

} // namespace

// -- what others left ---------------------------------------------------------

expected<recovery_report> filesystem_broker::recover() {
  recovery_report result;
  auto stale = [this](const entry& x) {
    auto since = time_of(x.path);
    return since && *since + options_.visibility_timeout <= now();
  };
  for (auto& name : list(where_.own + "/reserved")) {
    auto folder = where_.own + "/reserved/" + name;
    if (folder == mine_)
      continue;
    // A look without the lock: nearly always there is nothing to do. The last one
    // goes back first, so that the first, which is put before it, is consumed first.
    while (true) {
      auto dead = is_dead(folder);
      auto found = read_entries(folder);
      if (!dead && std::ranges::none_of(found, [&](auto& x) {
            return stale(x.second);
          }))
        break;
      auto change = begin();
      if (!change)
        return change.error();
      struct stat there {};
      if (::stat(folder.c_str(), &there) != 0)
        break; // somebody else was faster
      dead = is_dead(folder);
      found = read_entries(folder);
      size_t count = 0;
      for (auto i = found.rbegin();
           i != found.rend() && count < messages_per_commit; ++i)
        if (dead || stale(i->second)) {
          put_back(*change, i->second, place::first);
          ++count;
        }
      if (auto done = change->commit(); !done)
        return done.error();
      result.restored += count;
      if (dead && count == found.size()) {
        ::unlink((folder + "/lease").c_str());
        ::rmdir(folder.c_str());
        auto owner = unescape(name);
        result.dead_owners.push_back(owner.substr(owner.rfind('/') + 1));
      }
      if (count < messages_per_commit)
        break;
    }
  }
  sweep(where_.own + "/once", now() - remembered);
  auto lock = begin();
  if (!lock)
    return lock.error();
  sweep(where_.own + "/rates", now());
  // Of those who were killed while they wrote. Who writes has the lock.
  sweep(where_.own + "/stage", now());
  return result;
}

// -- delayed messages -----------------------------------------------------------

expected<forward_report> filesystem_broker::forward() {
  using std::chrono::milliseconds;
  auto folder = where_.own + "/delayed";
  forward_report result;
  auto read = [&] {
    std::vector<std::pair<std::string, delayed_file>> files; // the earliest first
    for (auto& file : list(folder))
      if (auto x = read_delayed(file))
        files.emplace_back(file, std::move(*x));
    return files;
  };
  auto next_look = [](const auto& files, size_t first, timestamp time) {
    if (first == files.size())
      return look_interval;
    auto left = std::chrono::ceil<milliseconds>(files[first].second.due - time);
    return std::clamp<milliseconds>(left, milliseconds{0}, look_interval);
  };
  auto files = read(); // without the lock
  result.next = next_look(files, 0, now());
  if (result.next.count() > 0)
    return result;
  auto change = begin();
  if (!change)
    return change.error();
  files = read();
  auto time = now();
  while (result.forwarded < files.size()
         && result.forwarded < messages_per_commit
         && files[result.forwarded].second.due <= time)
    ++result.forwarded;
  // The last one first: each is put before those that are due later.
  std::vector<std::string> names(result.forwarded);
  for (auto i = result.forwarded; i-- > 0;) {
    auto& x = files[i].second;
    names[i] = new_name(queue_of(x.name), x.step, place::first);
  }
  for (size_t i = 0; i < names.size(); ++i)
    change->move(folder + '/' + files[i].first, where_.in + '/' + names[i]);
  if (auto done = change->commit(); !done)
    return done.error();
  result.next = next_look(files, result.forwarded, time);
  return result;
}

// -- rate limits --------------------------------------------------------------

expected<std::vector<turn>>
filesystem_broker::take_turns(std::span<const turn_request> batch) {
  std::vector<turn> result;
  if (batch.empty())
    return result;
  auto change = begin();
  if (!change)
    return change.error();
  auto time = now();
  for (auto& x : batch) {
    auto path = where_.own + "/rates/" + escape(x.limit);
    auto fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
      return failure("open", path);
    int64_t account[2] = {0, 0}; // microseconds: free, line
    rate_bucket bucket;
    if (::pread(fd, account, sizeof(account), 0) == sizeof(account))
      bucket = {timestamp{std::chrono::microseconds{account[0]}},
                timestamp{std::chrono::microseconds{account[1]}}};
    auto slot = bucket.take(time, x.rate, x.hold, x.waited);
    account[0] = bucket.free().time_since_epoch().count();
    account[1] = bucket.line().time_since_epoch().count();
    auto written = ::pwrite(fd, account, sizeof(account), 0);
    ::close(fd);
    set_time(path, std::max(bucket.free(), bucket.line())); // idle from then on
    if (written != sizeof(account))
      return failure("write", path);
    result.push_back({slot.at - time, slot.taken});
  }
  return result;
}

} // namespace umbel
