#include "protocol/task/options.hpp"

#include "protocol/rate.hpp"

#include <fmt/format.h>

#include <cmath>

namespace umbel {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Times above this are not meant: about thirty years, in seconds.
constexpr double seconds_max = 1e9;

double to_seconds(milliseconds x) {
  return std::chrono::duration<double>(x).count();
}

/// Reads members of one object; the first one of the wrong type is remembered.
class reader {
public:
  explicit reader(const json::object& from) : from_(from) {
  }

  void read(std::string_view key, std::string& to) {
    if (auto* x = find(key)) {
      if (x->is_string())
        to = x->get_string().c_str();
      else
        wrong(key);
    }
  }

  void read(std::string_view key, bool& to) {
    if (auto* x = find(key)) {
      if (x->is_bool())
        to = x->get_bool();
      else
        wrong(key);
    }
  }

  void read(std::string_view key, std::optional<bool>& to) {
    bool value = false;
    if (auto* x = find(key); x && !x->is_null()) {
      read(key, value);
      to = value;
    }
  }

  void read(std::string_view key, std::optional<std::string>& to) {
    auto* x = find(key);
    if (!x || x->is_null())
      return;
    if (x->is_string() && parse_rate(std::string_view{x->get_string()}))
      to = x->get_string().c_str();
    else
      wrong(key);
  }

  void read(std::string_view key, rate_scope& to) {
    auto* x = find(key);
    if (!x)
      return;
    if (*x == "cluster")
      to = rate_scope::cluster;
    else if (*x != "worker")
      wrong(key);
  }

  template <class Duration>
  void read(std::string_view key, Duration& to) requires requires {
    typename Duration::period;
  }
  {
    auto* x = find(key);
    if (!x)
      return;
    auto number = x->is_number() ? x->to_number<double>() : -1.0;
    if (!(number >= 0 && number <= seconds_max))
      return wrong(key);
    to = std::chrono::duration_cast<Duration>(
        milliseconds{std::llround(number * 1000)});
  }

  void read(std::string_view key, std::optional<milliseconds>& to) {
    if (auto* x = find(key); x && !x->is_null()) {
      milliseconds value{0};
      read(key, value);
      to = value;
    }
  }

  void read(std::string_view key, std::optional<int>& to) {
    auto* x = find(key);
    if (!x)
      return;
    if (x->is_null())
      to = std::nullopt;
    else if (x->is_int64() && x->get_int64() >= 0
             && x->get_int64() <= INT32_MAX)
      to = static_cast<int>(x->get_int64());
    else
      wrong(key);
  }

  const json::value* find(std::string_view key) const {
    return from_.if_contains(key);
  }

  void wrong(std::string_view key) {
    if (wrong_.empty())
      wrong_ = key;
  }

  const std::string& wrong() const {
    return wrong_;
  }

private:
  const json::object& from_;
  std::string wrong_;
};

} // namespace

json::object to_json_object(const task_options& x) {
  const task_options defaults;
  json::object to;
  to["name"] = x.name;
  auto add_flag = [&](const char* key, const std::optional<bool>& flag) {
    if (flag)
      to[key] = *flag;
  };
  add_flag("acks_late", x.acks_late);
  add_flag("acks_on_failure_or_timeout", x.acks_on_failure_or_timeout);
  add_flag("reject_on_worker_lost", x.reject_on_worker_lost);
  add_flag("ignore_result", x.ignore_result);
  add_flag("store_errors_even_if_ignored", x.store_errors_even_if_ignored);
  add_flag("track_started", x.track_started);
  if (!x.max_retries)
    to["max_retries"] = nullptr;
  else if (x.max_retries != defaults.max_retries)
    to["max_retries"] = *x.max_retries;
  if (x.default_retry_delay != defaults.default_retry_delay)
    to["default_retry_delay"] = to_seconds(x.default_retry_delay);
  if (x.time_limit)
    to["time_limit"] = to_seconds(*x.time_limit);
  if (x.soft_time_limit)
    to["soft_time_limit"] = to_seconds(*x.soft_time_limit);
  if (x.rate_limit)
    to["rate_limit"] = *x.rate_limit;
  if (x.rate_limit_scope == rate_scope::cluster)
    to["rate_limit_scope"] = "cluster";
  if (!x.rate_limit_key.empty())
    to["rate_limit_key"] = x.rate_limit_key;
  if (x.takes_failure)
    to["takes_failure"] = true;
  if (x.unique)
    to["unique"] = true;
  if (x.retry_backoff)
    to["retry_backoff"] = x.retry_backoff_factor.count();
  if (x.retry_backoff_max != defaults.retry_backoff_max)
    to["retry_backoff_max"] = x.retry_backoff_max.count();
  if (!x.retry_jitter)
    to["retry_jitter"] = false;
  return to;
}

expected<task_options> parse_task_options(const json::value& x) {
  if (!x.is_object())
    return error{errc::malformed, "task options are not a JSON object"};
  reader from{x.get_object()};
  task_options to;
  from.read("name", to.name);
  from.read("acks_late", to.acks_late);
  from.read("acks_on_failure_or_timeout", to.acks_on_failure_or_timeout);
  from.read("reject_on_worker_lost", to.reject_on_worker_lost);
  from.read("ignore_result", to.ignore_result);
  from.read("store_errors_even_if_ignored", to.store_errors_even_if_ignored);
  from.read("track_started", to.track_started);
  from.read("max_retries", to.max_retries);
  from.read("takes_failure", to.takes_failure);
  from.read("unique", to.unique);
  from.read("default_retry_delay", to.default_retry_delay);
  from.read("time_limit", to.time_limit);
  from.read("soft_time_limit", to.soft_time_limit);
  from.read("rate_limit", to.rate_limit);
  from.read("rate_limit_scope", to.rate_limit_scope);
  from.read("rate_limit_key", to.rate_limit_key);
  if (auto* backoff = from.find("retry_backoff"); backoff && backoff->is_bool())
    from.read("retry_backoff", to.retry_backoff);
  else if (backoff) {
    to.retry_backoff = true;
    from.read("retry_backoff", to.retry_backoff_factor);
  }
  from.read("retry_backoff_max", to.retry_backoff_max);
  from.read("retry_jitter", to.retry_jitter);
  if (to.name.empty())
    from.wrong("name");
  if (!from.wrong().empty())
    return error{errc::malformed,
                 fmt::format("option '{}' of task '{}' is {}", from.wrong(),
                             to.name, "missing or of the wrong type")};
  return to;
}

} // namespace umbel
