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

void result_callbacks::add(const async_result& x, function f) {
  std::lock_guard guard{mutex_};
  all_.emplace(x.id(), waiting{x, std::move(f)});
}

size_t result_callbacks::tell(const std::string& id) {
  std::vector<waiting> due;
  {
    std::lock_guard guard{mutex_};
    auto [begin, end] = all_.equal_range(id);
    for (auto i = begin; i != end; ++i)
      due.push_back(std::move(i->second));
    all_.erase(begin, end);
  }
  std::exception_ptr thrown;
  for (auto& x : due)
    try {
      x.f(x.result);
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
        ids.emplace_back(i->first);
    }
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    if (ids.empty() || (left.count() <= 0 && !first))
      return called;
    auto all = from.each(ids, std::clamp(left, result_hub::duration{0}, slice),
                         [&](size_t i, const task_result&) {
                           called += tell(ids[i].str());
                         });
    if (!all)
      return all.error();
  }
}

} // namespace umbel
