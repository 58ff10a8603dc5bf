#include "protocol/client/result_hub.hpp"

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

namespace umbel {

namespace {

// Others have their turn in between.
constexpr size_t looks_at_once = 512;

bool is_lost(const error& x) {
  return x.code == errc::unavailable || x.code == errc::timeout;
}

} // namespace

result_hub::result_hub(opener open, serializer how)
    : open_(std::move(open)), how_(how) {
}

result_hub::opener result_opener(std::string url, result_store_options options) {
  return [url = std::move(url),
          options = std::move(options)]() -> expected<result_connections> {
    auto listener = connect_result_listener(url, options);
    if (!listener)
      return listener.error();
    auto store = connect_result_store(url, options);
    if (!store)
      return store.error();
    return result_connections{std::move(*listener), std::move(*store)};
  };
}

// -- the connections: used by one thread at a time, while busy_ is set ------------

template <class F>
auto result_hub::alone(lock& held, F&& f) {
  ++wanted_;
  while (busy_) {
    if (listener_)
      listener_->interrupt();
    changed_.wait(held);
  }
  --wanted_;
  busy_ = true;
  held.unlock();
  using result_type = decltype(f());
  auto attempt = [&]() -> result_type {
    if (auto done = connect(); !done)
      return done.error();
    return f();
  };
  auto known = listener_ != nullptr;
  auto result = attempt();
  if (!result && is_lost(result.error())) {
    disconnect();
    if (known) // it may have been closed long ago
      result = attempt();
  }
  held.lock();
  busy_ = false;
  changed_.notify_all();
  return result;
}

void result_hub::disconnect() {
  lock held{mutex_};
  listener_.reset();
  store_.reset();
}

expected<void> result_hub::connect() {
  if (listener_)
    return {};
  auto opened = open_();
  if (!opened)
    return opened.error();
  std::vector<task_id> ids;
  {
    lock held{mutex_};
    for (auto& [id, x] : watched_)
      if (!x.result)
        ids.push_back(id);
  }
  if (auto done = opened->listener->subscribe(ids); !done)
    return done;
  lock held{mutex_};
  store_ = std::move(opened->store);
  listener_ = std::move(opened->listener);
  return {};
}

expected<std::optional<task_result>> result_hub::fetch(const task_id& id) {
  auto document = store_->fetch(id);
  if (!document)
    return document.error();
  if (!*document)
    return std::optional<task_result>{};
  auto result = parse_task_result(how_, **document);
  if (!result)
    return result.error();
  return std::optional{std::move(*result)};
}

expected<void> result_hub::listen(lock& held, duration pause) {
  busy_ = true;
  held.unlock();
  expected<std::vector<result_record>> arrived = std::vector<result_record>{};
  if (auto done = connect(); !done)
    arrived = done.error();
  else
    arrived = listener_->wait(pause);
  if (!arrived)
    disconnect();
  held.lock();
  busy_ = false;
  changed_.notify_all();
  if (!arrived)
    return arrived.error();
  for (auto& x : *arrived)
    if (auto i = watched_.find(x.id); i != watched_.end() && !i->second.result)
      if (auto result = parse_task_result(how_, x.document);
          result && result->ended())
        i->second.result = std::move(*result);
  return {};
}

// -- waiting ----------------------------------------------------------------------

expected<void> result_hub::watch(lock& held, std::span<const task_id> ids) {
  std::vector<task_id> fresh;
  for (auto& id : ids)
    if (watched_[id].waiting++ == 0)
      fresh.push_back(id);
  if (fresh.empty())
    return {};
  return alone(held, [&] { return listener_->subscribe(fresh); });
}

void result_hub::unwatch(lock& held, std::span<const task_id> ids) {
  std::vector<task_id> last;
  for (auto& id : ids)
    if (auto i = watched_.find(id);
        i != watched_.end() && --i->second.waiting == 0) {
      watched_.erase(i);
      last.push_back(id);
    }
  // If it fails, the connection is gone, and what was watched with it.
  if (!last.empty() && listener_)
    alone(held, [&] { return listener_->unsubscribe(last); });
}

expected<void> result_hub::look_for_missing(lock& held,
                                            std::span<const task_id> ids) {
  std::vector<task_id> missing;
  for (auto& id : ids)
    if (!result_of(id))
      missing.push_back(id);
  for (std::span<const task_id> left{missing}; !left.empty();) {
    auto some = left.first(std::min(left.size(), looks_at_once));
    left = left.subspan(some.size());
    auto documents = alone(held, [&] { return fetch_all(*store_, some); });
    if (!documents)
      return documents.error();
    for (size_t i = 0; i < some.size(); ++i)
      if (auto& document = (*documents)[i]) {
        auto result = parse_task_result(how_, *document);
        if (!result)
          return result.error();
        if (result->ended())
          watched_[some[i]].result = std::move(*result);
      }
  }
  return {};
}

const task_result* result_hub::result_of(const task_id& id) const {
  auto i = watched_.find(id);
  return i != watched_.end() && i->second.result ? &*i->second.result
                                                 : nullptr;
}

expected<bool> result_hub::step(lock& held, std::span<const task_id> ids,
                                patience& how) {
  if (clock::now() >= how.next_look) {
    if (auto done = look_for_missing(held, ids); !done)
      return done.error();
    how.next_look = clock::now() + how.interval;
    return true;
  }
  auto left = std::min(how.interval,
                       std::chrono::ceil<duration>(how.end - clock::now()));
  if (left.count() <= 0)
    return false;
  if (busy_ || wanted_ > 0) {
    changed_.wait_for(held, left);
    return true;
  }
  auto done = listen(held, left);
  if (!done && is_lost(done.error()))
    done = look_for_missing(held, ids); // on a new connection, or it fails
  if (!done)
    return done.error();
  return true;
}

expected<std::optional<result_hub::ends>>
result_hub::wait(std::span<const task_id> ids, std::span<const task_id> before,
                 std::optional<duration> timeout, duration interval) {
  patience how{timeout ? clock::now() + *timeout : moment::max(),
               std::max(interval, duration{1})};
  std::vector<task_id> all(ids.begin(), ids.end());
  all.insert(all.end(), before.begin(), before.end());
  lock held{mutex_};
  auto known = ids.begin();
  auto complete = [&] {
    while (known != ids.end() && result_of(*known))
      ++known;
    return known == ids.end();
  };
  // They end in this order; but some results may be ignored, and never come.
  auto passed = before.begin();
  auto failed = [&]() -> const task_result* {
    while (passed != before.end()) {
      auto* x = result_of(*passed);
      if (!x || !x->succeeded())
        return x;
      ++passed;
    }
    return nullptr;
  };
  auto find_failed = [&] {
    passed = std::ranges::find_if(before, [&](auto& id) {
      auto* x = result_of(id);
      return x && !x->succeeded();
    });
    if (passed == before.end())
      passed = before.begin();
  };
  expected<bool> going = true;
  if (auto done = watch(held, all); !done)
    going = done.error();
  while (going && *going && !complete() && !failed()) {
    auto look = how.next_look;
    going = step(held, all, how);
    if (look != how.next_look)
      find_failed();
  }
  expected<std::optional<ends>> result = std::optional<ends>{};
  if (!going) {
    result = going.error();
  } else if (*going) {
    ends reached;
    if (complete())
      for (auto& id : ids)
        reached.results.push_back(*result_of(id));
    else
      reached.failed_before = *failed();
    result = std::optional{std::move(reached)};
  }
  unwatch(held, all);
  return result;
}

expected<bool>
result_hub::each(std::span<const task_id> ids, std::optional<duration> timeout,
                 const std::function<void(size_t, const task_result&)>& f,
                 duration interval) {
  patience how{timeout ? clock::now() + *timeout : moment::max(),
               std::max(interval, duration{1})};
  lock held{mutex_};
  std::vector<size_t> left(ids.size());
  std::iota(left.begin(), left.end(), size_t{0});
  expected<bool> going = true;
  if (auto done = watch(held, ids); !done)
    going = done.error();
  std::exception_ptr thrown;
  while (going && *going && !left.empty() && !thrown) {
    std::vector<std::pair<size_t, task_result>> ended;
    std::erase_if(left, [&](size_t i) {
      auto* x = result_of(ids[i]);
      if (x)
        ended.emplace_back(i, *x);
      return x != nullptr;
    });
    if (ended.empty()) {
      going = step(held, ids, how);
      continue;
    }
    held.unlock(); // it may take its time, and wait for others
    try {
      for (auto& [i, x] : ended)
        f(i, x);
    } catch (...) {
      thrown = std::current_exception();
    }
    held.lock();
  }
  unwatch(held, ids);
  if (thrown)
    std::rethrow_exception(thrown);
  return going;
}

error result_hub::keeps_no_groups() const {
  return {errc::unsupported,
          store_->location() + " keeps no groups: saved groups need results in "
             "Redis or SQLite"};
}

// -- all the rest -------------------------------------------------------------------

expected<void> result_hub::open() {
  lock held{mutex_};
  if (listener_)
    return {};
  return alone(held, [] { return expected<void>{}; });
}

expected<std::optional<task_result>> result_hub::look(const task_id& id) {
  lock held{mutex_};
  return alone(held, [&] { return fetch(id); });
}

expected<void> result_hub::keep(std::span<const group_record> groups) {
  if (groups.empty())
    return {};
  lock held{mutex_};
  return alone(held, [&]() -> expected<void> {
    auto* where = workflows_of(store_.get());
    if (!where)
      return keeps_no_groups();
    if (auto done = where->count(groups, {}); !done)
      return done.error();
    return {};
  });
}

expected<std::optional<std::string>>
result_hub::fetch_group(const std::string& id) {
  lock held{mutex_};
  return alone(held, [&]() -> expected<std::optional<std::string>> {
    auto* where = workflows_of(store_.get());
    return where ? where->fetch_group(id) : keeps_no_groups();
  });
}

expected<void> result_hub::forget_group(const std::string& id) {
  lock held{mutex_};
  return alone(held, [&]() -> expected<void> {
    auto* where = workflows_of(store_.get());
    return where ? where->forget_group(id) : keeps_no_groups();
  });
}

expected<void> result_hub::forget(const task_id& id) {
  lock held{mutex_};
  return alone(held, [&] { return store_->forget(id); });
}

} // namespace umbel
