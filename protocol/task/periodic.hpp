// Periodic tasks that a library brings along: `umbel beat -A tasks` and
// `umbel worker -B` send them.
//
//   UMBEL_TASKS(app) {
//     app.task("tasks.add", add, "x", "y");
//     app.add_periodic_task(umbel::every(30s), "tasks.add").args(4, 4);
//     app.add_periodic_task(umbel::crontab("0 4 * * mon-fri"), "tasks.report")
//       .name("nightly report")
//       .args(umbel::lazy([] { return std::chrono::system_clock::now(); }))
//       .options({{"queue", "slow"}});
//   }
#pragma once

#include "protocol/task/to_json.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace umbel {

/// When a periodic task is due, as the setting beat_schedule says it.
struct periodic_schedule {
  json::value value;
};

/// Every so many seconds.
template <class Rep, class Period>
periodic_schedule every(std::chrono::duration<Rep, Period> x) {
  return {seconds_to_json(x)};
}

/// "minute hour day_of_month month_of_year day_of_week"
periodic_schedule crontab(const std::string& text);

/// Celery's arguments: {{"minute", "*/15"}, {"hour", 8}, {"timezone", "Asia/Tokyo"}}
periodic_schedule crontab(json::object fields);

/// @param event "sunrise", "sunset", "solar_noon", "dawn_civil" ...
/// @param latitude, longitude degrees, north and east positive
periodic_schedule solar(const std::string& event, double latitude,
                        double longitude);

/// An argument that is computed each time the task is sent, in a process that loads the
/// library for it. Celery's BeatLazyFunc.
template <class F>
struct lazy {
  F compute;

  explicit lazy(F f) : compute(std::move(f)) {
  }
};

/// Arguments as they are sent: values, each perhaps computed now.
struct periodic_arguments {
  json::array args;
  json::object kwargs;
};

class periodic_task {
public:
  periodic_task(periodic_schedule when, std::string task);

  // -- what its author says ---------------------------------------------------------

  /// Distinguishes it from others. Default: the call, "tasks.add(4, 4)".
  periodic_task& name(std::string x);

  /// Values, and `umbel::lazy`s.
  template <class... Ts>
  periodic_task& args(const Ts&... xs) {
    args_ = {argument_of(xs)...};
    return *this;
  }

  template <class T>
  periodic_task& kwarg(std::string name, const T& x) {
    kwargs_.emplace_back(std::move(name), argument_of(x));
    return *this;
  }

  /// queue, priority, expires, countdown, time_limit, headers ...
  periodic_task& options(json::object x);

  /// Rounds the due times of an interval to the day, hour or minute.
  periodic_task& relative();

  /// "skip", "once" or "all": due times at which no beat ran.
  periodic_task& catch_up(std::string x);

  // -- what a beat asks -------------------------------------------------------------

  std::string name() const;

  bool is_lazy() const;

  /// An entry of beat_schedule; without arguments if they are lazy.
  json::object definition() const;

  /// @throws what a lazy argument throws
  periodic_arguments arguments() const;

private:
  struct argument {
    std::function<json::value()> compute; ///< empty: `value` it is
    json::value value;

    json::value get() const {
      return compute ? compute() : value;
    }
  };

  template <class T>
  static argument argument_of(const T& x) {
    return {{}, to_json_value(x)};
  }

  template <class F>
  static argument argument_of(const lazy<F>& x) {
    return {[f = x.compute] { return to_json_value(f()); }, {}};
  }

  json::value schedule_;
  std::string task_;
  std::string name_;
  std::vector<argument> args_;
  std::vector<std::pair<std::string, argument>> kwargs_;
  json::object members_; ///< options, relative, catch_up
};

} // namespace umbel
