// The part of filesystem_broker that settles, and keeps the lease.
#include "protocol/broker/filesystem/filesystem_broker.hpp"

#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

using namespace filesystem;

namespace {

// Settlements of one transaction: nobody else changes anything meanwhile.
constexpr size_t settlements_per_commit = 500;

// A tag in its parts. One of a peer that numbers nothing is an owner of its own.
struct tag_parts {
  std::string owner;
  uint64_t sequence = 0;
};

tag_parts split(const delivery_tag& tag) {
  auto& text = tag.str();
  auto slash = text.rfind('/');
  if (slash == text.npos)
    return {text};
  tag_parts result{text.substr(0, slash)};
  auto end = text.data() + text.size();
  auto [ptr, ec]
    = std::from_chars(text.data() + slash + 1, end, result.sequence);
  return ec == std::errc{} && ptr == end ? result : tag_parts{text};
}

} // namespace

/// What settlements of one transaction have to know of each other.
struct filesystem_broker::batch_state {
  ledger known;
  std::set<std::string> published; ///< markers of `none`
  std::set<task_id> successes;
  std::set<queue_name> parked;
};

// -- the ledger ---------------------------------------------------------------

filesystem_broker::entries
filesystem_broker::read_entries(const std::string& folder) {
  entries result;
  for (auto& file : list(folder)) {
    uint64_t sequence = 0;
    entry x;
    auto end = file.data() + file.size();
    auto first = std::from_chars(file.data(), end, sequence);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.')
      continue; // the lease
    auto second = std::from_chars(first.ptr + 1, end, x.step);
    if (second.ec != std::errc{} || second.ptr == end || *second.ptr != '.')
      continue;
    x.name = file.substr(static_cast<size_t>(second.ptr + 1 - file.data()));
    x.path = folder + '/' + file;
    result.emplace(sequence, std::move(x));
  }
  return result;
}

const filesystem_broker::entries&
filesystem_broker::entries_of(ledger& known, const std::string& owner) const {
  auto i = known.find(owner);
  if (i == known.end())
    i = known.emplace(owner, read_entries(where_.owner(owner))).first;
  return i->second;
}

std::optional<filesystem_broker::entry>
filesystem_broker::find(ledger& known, const delivery_tag& tag) const {
  auto parts = split(tag);
  auto& found = entries_of(known, parts.owner);
  auto i = found.find(parts.sequence);
  if (i == found.end())
    return std::nullopt;
  return i->second;
}

expected<std::vector<bool>>
filesystem_broker::owned(std::span<const delivery_tag> tags) {
  std::vector<bool> result;
  if (tags.empty())
    return result;
  auto lock = begin(); // what a journal has moved is moved
  if (!lock)
    return lock.error();
  ledger known;
  for (auto& tag : tags)
    result.push_back(find(known, tag).has_value());
  return result;
}

// -- settling -----------------------------------------------------------------

bool filesystem_broker::stores_results() const {
  return results_.has_value();
}

expected<std::vector<bool>>
filesystem_broker::settle(std::span<const settlement> batch) {
  if (!stores_results()
      && std::ranges::any_of(batch, [](auto& x) {
           return x.result || !x.workflow.results.empty();
         }))
    return error{errc::unsupported,
                 "settle on " + location()
                   + ": results belong into another store, which has to get "
                     "them first"};
  std::vector<bool> result;
  while (!batch.empty()) {
    auto some = batch.first(std::min(batch.size(), settlements_per_commit));
    batch = batch.subspan(some.size());
    auto change = begin();
    if (!change)
      return change.error();
    std::optional<folder_lock> results;
    if (std::ranges::any_of(some, [](auto& x) {
          return x.result || !x.workflow.results.empty();
        })) {
      auto taken = results_->lock();
      if (!taken)
        return taken.error();
      results.emplace(std::move(*taken));
    }
    batch_state state;
    for (auto& x : some)
      if (auto effect = settle_one(*change, state, x))
        result.push_back(*effect);
      else
        return effect.error();
    if (auto done = change->commit(); !done)
      return done.error();
    for (auto& queue : state.parked)
      trim_dead(queue);
  }
  return result;
}

expected<bool> filesystem_broker::settle_one(transaction& change, batch_state& state,
                                   const settlement& x) {
  std::optional<entry> mine;
  if (x.how != disposition::none) {
    mine = find(state.known, x.tag);
    if (!mine)
      return false;
    auto parts = split(x.tag);
    state.known.find(parts.owner)->second.erase(parts.sequence);
  } else if (x.dead || !x.publish.empty()) {
    auto marker = where_.own + "/once/" + escape(x.tag.str());
    if (::access(marker.c_str(), F_OK) == 0
        || !state.published.insert(marker).second)
      return false;
    change.write("", marker);
  }
  auto store = [&](const result_record& result) {
    if (state.successes.contains(result.id) || results_->has_success(result.id))
      return;
    if (is_success(result.document))
      state.successes.insert(result.id);
    change.write(result.document, results_->path_of(result.id));
  };
  if (x.result)
    store(*x.result);
  for (auto& more : x.workflow.results)
    store(more);
  for (auto& follow_up : x.publish)
    if (auto done = put(change, follow_up); !done)
      return done.error();
  if (x.dead) {
    auto folder = where_.dead(x.queue);
    ::mkdir(folder.c_str(), 0777); // if it cannot be made, the write fails
    auto text = x.dead->reason;
    std::ranges::replace(text, '\n', ' ');
    change.write(text + '\n' + x.dead->payload,
                 folder + '/' + digits(new_number()));
    state.parked.insert(x.queue);
  }
  if (mine)
    put_away(change, *mine, x);
  else if (auto held = x.payload ? find(state.known, x.tag) : std::nullopt)
    change.write(*x.payload, held->path); // comes back should its owner die
  return true;
}

void filesystem_broker::put_away(transaction& change, const entry& what,
                                 const settlement& x) {
  switch (x.how) {
    case disposition::none:
      break;
    case disposition::ack:
      if (where_.processed.empty())
        change.remove(what.path);
      else
        change.move(what.path, where_.processed + '/' + what.name);
      break;
    case disposition::requeue:
      put_back(change, what, place::last, x.payload);
      break;
    case disposition::restore:
      put_back(change, what, place::first, x.payload);
      break;
    case disposition::delay: {
      auto due = std::max<int64_t>(x.due.time_since_epoch().count(), 0);
      auto to = fmt::format("{}/delayed/{}.{}.{}", where_.own,
                            digits(static_cast<uint64_t>(due)), what.step,
                            what.name);
      if (x.payload) {
        change.write(*x.payload, to);
        change.remove(what.path);
      } else {
        change.move(what.path, to);
      }
      break;
    }
  }
}

// Both ways of going back are a second delivery, and are marked so. A payload
// that cannot be marked goes back as it is: who reserves it next finds out.
void filesystem_broker::put_back(transaction& change, const entry& what,
                                 place where,
                                 std::optional<std::string> payload) const {
  auto to = where_.in + '/' + new_name(queue_of(what.name), what.step, where);
  if (!payload)
    payload = read_file(what.path);
  auto marked = payload ? mark_redelivered(*payload)
                        : expected<std::string>{error{errc::malformed, {}}};
  if (marked) {
    change.write(*marked, to);
    change.remove(what.path);
  } else {
    change.move(what.path, to);
  }
}

void filesystem_broker::trim_dead(const queue_name& queue) const {
  auto folder = where_.dead(queue);
  auto names = list(folder);
  for (size_t i = 0; i + options_.dead_letters_max < names.size(); ++i)
    ::unlink((folder + '/' + names[i]).c_str());
}

// -- the lease ----------------------------------------------------------------

expected<void> filesystem_broker::extend_lease() {
  auto path = mine_ + "/lease";
  ::mkdir(mine_.c_str(), 0777);
  auto fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    return failure("write", path);
  ::close(fd);
  set_time(path, now() + options_.lease);
  return {};
}

// What is reserved must belong to somebody whose death can be seen.
expected<void> filesystem_broker::hold_lease() {
  return is_dead(mine_) ? extend_lease() : expected<void>{};
}

bool filesystem_broker::is_dead(const std::string& folder) const {
  auto end = time_of(folder + "/lease");
  return !end || *end <= now();
}

expected<void> filesystem_broker::renew(std::span<const delivery_tag> tags) {
  auto lock = begin();
  if (!lock)
    return lock.error();
  if (auto done = extend_lease(); !done)
    return done;
  ledger known;
  auto time = now();
  for (auto& tag : tags)
    if (auto x = find(known, tag))
      set_time(x->path, time);
  return {};
}

expected<void> filesystem_broker::release() {
  auto lock = begin();
  if (!lock)
    return lock.error();
  ::unlink((mine_ + "/lease").c_str());
  ::rmdir(mine_.c_str()); // if nothing is left in it
  return {};
}

} // namespace umbel
