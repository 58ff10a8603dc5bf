#include "protocol/task/hooks.hpp"

#include "protocol/task/context.hpp"
#include "protocol/task/describe_exception.hpp"

#include <fmt/format.h>

namespace umbel {

namespace {

/// A level of the log.
constexpr uint8_t error_level = 4;

/// Calls `f`. @returns what it has thrown, or nothing
template <class F>
std::string caught(F f) {
  try {
    f();
    return {};
  } catch (...) {
    return describe_exception(std::current_exception(), {}).repr();
  }
}

} // namespace

void tell_process(const signal<>& what, const char* name,
                  const std::function<void(const std::string&)>& complain) {
  for (auto& f : what.handlers())
    if (auto thrown = caught(f); !thrown.empty())
      complain(fmt::format("a function connected to {} raised {}", name, thrown));
}

template <class... Ts, class... Us>
void run_hooks::tell(const char* name, const std::function<void(Ts...)>& f,
                     const Us&... xs) {
  if (!f)
    return;
  auto thrown = caught([&] { f(self_, xs...); });
  if (!thrown.empty())
    self_.log(error_level, fmt::format("Task {}[{}]: {} raised {}", self_.task(),
                                       self_.id(), name, thrown));
}

template <class... Ts, class... Us>
void run_hooks::tell(const char* name, const signal<Ts...>& what,
                     const Us&... xs) {
  for (auto& f : what.handlers())
    tell(name, f, xs...);
}

void run_hooks::begin() {
  begun_ = true;
  tell("task_prerun", signals_.task_prerun);
  if (task_.before_start)
    task_.before_start(self_);
}

void run_hooks::end(const run_end& x) {
  if (!begun_)
    return;
  context::scope active{self_};
  json::value document;
  auto& value = x.state == "SUCCESS" ? x.result : document;
  if (x.state == "SUCCESS") {
    tell("on_success", task_.on_success, value);
    tell("task_success", signals_.task_success, value);
  } else if (x.state == "FAILURE") {
    document = to_json_object(x.why);
    tell("on_failure", task_.on_failure, x.why);
    tell("task_failure", signals_.task_failure, x.why);
  } else if (x.state == "RETRY") {
    document = to_json_object(x.why);
    tell("on_retry", task_.on_retry, x.why);
    tell("task_retry", signals_.task_retry, x.why);
  }
  if (x.state == "SUCCESS" || x.state == "FAILURE")
    tell("after_return", task_.after_return, x.state, value);
  tell("task_postrun", signals_.task_postrun, x.state, value);
}

} // namespace umbel
