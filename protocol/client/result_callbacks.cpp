#include "protocol/client/result_callbacks.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace umbel {

namespace {

using clock = std::chrono::steady_clock;

// Results that are added meanwhile, perhaps by what is called, wait no longer than that.
// Each slice looks at all results in the store.
constexpr auto slice = result_hub::look_interval;

} // namespace

result_callbacks::ticket result_callbacks::add(const task_id& id, function f) {
  std::lock_guard guard{mutex_};
  all_.emplace(id, waiting{++last_, std::move(f)});
  return last_;
}

bool result_callbacks::remove(const task_id& id, ticket x) {
  decltype(all_)::node_type taken; // destroyed out of the lock: it is the user's
  std::lock_guard guard{mutex_};
  auto [begin, end] = all_.equal_range(id);
  auto i = std::find_if(begin, end, [&](auto& y) { return y.second.number == x; });
  if (i == end)
    return false;
  taken = all_.extract(i);
  return true;
}

size_t result_callbacks::tell(const task_id& id) {
  std::vector<function> due;
  {
    std::lock_guard guard{mutex_};
    auto [begin, end] = all_.equal_range(id);
    for (auto i = begin; i != end; ++i)
      due.push_back(std::move(i->second.f));
    all_.erase(begin, end);
  }
  std::exception_ptr thrown;
  for (auto& f : due)
    try {
      f();
    } catch (...) { // the others know nothing of it
      if (!thrown)
        thrown = std::current_exception();
    }
  if (thrown)
    std::rethrow_exception(thrown);
  return due.size();
}

expected<size_t>
result_callbacks::run(result_hub& from,
                      std::optional<std::chrono::milliseconds> timeout) {
  auto end = timeout ? clock::now() + *timeout : clock::time_point::max();
  size_t called = 0;
  for (auto first = true;; first = false) { // without time, it looks once
    std::vector<task_id> ids;
    {
      std::lock_guard guard{mutex_};
      for (auto i = all_.begin(); i != all_.end(); i = all_.upper_bound(i->first))
        ids.push_back(i->first);
    }
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    if (ids.empty() || (left.count() <= 0 && !first))
      return called;
    auto all = from.each(
        ids, std::clamp(left, result_hub::duration{0}, slice),
        [&](size_t i, const task_result&) { called += tell(ids[i]); });
    if (!all)
      return all.error();
  }
}

} // namespace umbel
