#include "protocol/task/periodic.hpp"

#include <algorithm>

namespace umbel {

periodic_schedule crontab(const std::string& text) {
  return {json::object{{"crontab", text}}};
}

periodic_schedule crontab(json::object fields) {
  return {json::object{{"crontab", std::move(fields)}}};
}

periodic_schedule solar(const std::string& event, double latitude,
                        double longitude) {
  return {json::object{{"solar", json::array{event, latitude, longitude}}}};
}

periodic_task::periodic_task(periodic_schedule when, std::string task)
    : schedule_(std::move(when.value)), task_(std::move(task)) {
}

periodic_task& periodic_task::name(std::string x) {
  name_ = std::move(x);
  return *this;
}

periodic_task& periodic_task::options(json::object x) {
  members_["options"] = std::move(x);
  return *this;
}

periodic_task& periodic_task::relative() {
  members_["relative"] = true;
  return *this;
}

periodic_task& periodic_task::catch_up(std::string x) {
  members_["catch_up"] = std::move(x);
  return *this;
}

std::string periodic_task::name() const {
  if (!name_.empty())
    return name_;
  auto result = task_ + '(';
  auto add = [&](const std::string& before, const argument& x) {
    if (!result.ends_with('('))
      result += ", ";
    result += before;
    result += x.compute ? "..." : python_repr(x.value);
  };
  for (auto& x : args_)
    add("", x);
  for (auto& [name, x] : kwargs_)
    add(name + '=', x);
  return result + ')';
}

bool periodic_task::is_lazy() const {
  return std::ranges::any_of(
             args_, [](auto& x) { return static_cast<bool>(x.compute); })
         || std::ranges::any_of(kwargs_, [](auto& x) {
              return static_cast<bool>(x.second.compute);
            });
}

json::object periodic_task::definition() const {
  auto result = members_;
  result["task"] = task_;
  result["schedule"] = schedule_;
  if (is_lazy())
    return result;
  auto [args, kwargs] = arguments();
  if (!args.empty())
    result["args"] = std::move(args);
  if (!kwargs.empty())
    result["kwargs"] = std::move(kwargs);
  return result;
}

periodic_arguments periodic_task::arguments() const {
  periodic_arguments result;
  for (auto& x : args_)
    result.args.push_back(x.get());
  for (auto& [name, x] : kwargs_)
    result.kwargs[name] = x.get();
  return result;
}

} // namespace umbel
