// How a task's author names parameters and gives defaults:
//
//   app.task("tasks.add", add, "x", umbel::arg("y") = 1);
//   using namespace umbel::literals;
//   app.task("tasks.mul", mul, "x"_a, "y"_a = 2);
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/task/to_json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace umbel {

/// A parameter's name, and its default if it has one.
struct arg {
  arg(const char* name) : name(name) { // implicit: plain strings are allowed
  }

  explicit arg(std::string name) : name(std::move(name)) {
  }

  /// The same parameter with a default, kept as JSON.
  template <class T>
  arg operator=(const T& value) && {
    arg result{std::move(name)};
    result.fallback = to_json_value(value);
    return result;
  }

  std::string name;
  std::optional<json::value> fallback;
};

namespace literals {

inline arg operator""_a(const char* name, size_t size) {
  return arg{std::string{name, size}};
}

} // namespace literals

} // namespace umbel
