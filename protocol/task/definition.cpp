#include "protocol/task/definition.hpp"

#include "protocol/rate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace umbel {

namespace {

using std::chrono::milliseconds;

milliseconds checked(const std::string& task, const char* option,
                     task_definition::duration x) {
  constexpr task_definition::duration longest{1e9}; // about 30 years
  if (!(x.count() >= 0 && x <= longest))
    throw std::invalid_argument(fmt::format(
        "task '{}': {} of {} s is out of range", task, option, x.count()));
  return std::chrono::duration_cast<milliseconds>(x);
}

} // namespace

task_definition::task_definition(std::string name, task_function run,
                                 bool takes_failure,
                                 std::vector<arg> parameters)
    : run_(std::move(run)), parameters_(std::move(parameters)) {
  options_.name = std::move(name);
  options_.takes_failure = takes_failure;
}

bool task_definition::retries_on(const std::exception_ptr& x) const {
  auto matches = [&](matcher is) { return is(x); };
  if (std::none_of(autoretry_for_.begin(), autoretry_for_.end(), matches))
    return false;
  if (is_a<wrong_call>(x))
    return false;
  return std::none_of(dont_autoretry_for_.begin(), dont_autoretry_for_.end(),
                      matches);
}

bool task_definition::expects(const std::exception_ptr& x) const {
  return std::any_of(throws_.begin(), throws_.end(),
                     [&](matcher is) { return is(x); });
}

task_definition&
task_definition::before_start(std::function<void(context&)> f) {
  hooks_.before_start = std::move(f);
  return *this;
}

task_definition& task_definition::on_success(
    std::function<void(context&, const json::value&)> f) {
  hooks_.on_success = std::move(f);
  return *this;
}

task_definition& task_definition::on_failure(task_hooks::failure_handler f) {
  hooks_.on_failure = std::move(f);
  return *this;
}

task_definition& task_definition::on_retry(task_hooks::failure_handler f) {
  hooks_.on_retry = std::move(f);
  return *this;
}

task_definition& task_definition::after_return(task_hooks::state_handler f) {
  hooks_.after_return = std::move(f);
  return *this;
}

task_definition& task_definition::acks_late(bool x) {
  options_.acks_late = x;
  return *this;
}

task_definition& task_definition::acks_on_failure_or_timeout(bool x) {
  options_.acks_on_failure_or_timeout = x;
  return *this;
}

task_definition& task_definition::reject_on_worker_lost(bool x) {
  options_.reject_on_worker_lost = x;
  return *this;
}

task_definition& task_definition::ignore_result(bool x) {
  options_.ignore_result = x;
  return *this;
}

task_definition& task_definition::store_errors_even_if_ignored(bool x) {
  options_.store_errors_even_if_ignored = x;
  return *this;
}

task_definition& task_definition::track_started(bool x) {
  options_.track_started = x;
  return *this;
}

task_definition& task_definition::time_limit(duration x) {
  options_.time_limit = checked(name(), "time_limit", x);
  return *this;
}

task_definition& task_definition::soft_time_limit(duration x) {
  options_.soft_time_limit = checked(name(), "soft_time_limit", x);
  return *this;
}

task_definition& task_definition::rate_limit(const std::string& x) {
  if (auto ok = parse_rate(x); !ok)
    throw std::invalid_argument(
        fmt::format("task '{}': rate_limit: {}", name(), ok.error().what));
  options_.rate_limit = x;
  return *this;
}

task_definition& task_definition::rate_limit_scope(umbel::rate_scope x) {
  options_.rate_limit_scope = x;
  return *this;
}

task_definition& task_definition::rate_limit_key(const std::string& header) {
  options_.rate_limit_key = header;
  return *this;
}

task_definition&
task_definition::unique_by(std::vector<std::string> arguments) {
  std::vector<size_t> positions;
  for (auto& name : arguments) {
    auto i = std::ranges::find(parameters_, name, &arg::name);
    if (i == parameters_.end())
      throw std::invalid_argument(fmt::format(
          "task '{}': unique_key: it has no argument '{}'", this->name(), name));
    positions.push_back(static_cast<size_t>(i - parameters_.begin()));
  }
  if (arguments.empty())
    for (size_t i = 0; i < parameters_.size(); ++i)
      positions.push_back(i);
  options_.unique = true;
  unique_by_ = std::move(positions);
  return *this;
}

task_definition& task_definition::unique_for(duration x) {
  checked(name(), "unique_for", x);
  unique_.held_for = x;
  return *this;
}

task_definition& task_definition::unique_until_start(bool x) {
  unique_.until_start = x;
  return *this;
}

void task_definition::add_unique_headers(task_call& x) const {
  if (!options_.unique)
    return;
  static const json::value nothing;
  std::vector<const json::value*> values;
  for (auto i : unique_by_) {
    auto& parameter = parameters_[i];
    auto* named = x.kwargs.if_contains(parameter.name);
    if (i < x.args.size())
      values.push_back(&x.args[i]);
    else if (named)
      values.push_back(named);
    else
      values.push_back(parameter.fallback ? &*parameter.fallback : &nothing);
  }
  umbel::add_unique_headers(x.headers, unique_, unique_key_of(values));
}

task_definition& task_definition::max_retries(int x) {
  if (x < 0)
    throw std::invalid_argument(
        fmt::format("task '{}': max_retries is negative", name()));
  options_.max_retries = x;
  return *this;
}

task_definition& task_definition::unlimited_retries() {
  options_.max_retries.reset();
  return *this;
}

task_definition& task_definition::default_retry_delay(duration x) {
  options_.default_retry_delay = checked(name(), "default_retry_delay", x);
  return *this;
}

task_definition& task_definition::retry_backoff(std::chrono::seconds factor) {
  checked(name(), "retry_backoff", factor);
  options_.retry_backoff = true;
  options_.retry_backoff_factor = factor;
  return *this;
}

task_definition& task_definition::retry_backoff(bool x) {
  options_.retry_backoff = x;
  return *this;
}

task_definition& task_definition::retry_backoff_max(std::chrono::seconds x) {
  checked(name(), "retry_backoff_max", x);
  options_.retry_backoff_max = x;
  return *this;
}

task_definition& task_definition::retry_jitter(bool x) {
  options_.retry_jitter = x;
  return *this;
}

} // namespace umbel
