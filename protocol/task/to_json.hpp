// From a task's result to JSON: what Boost.JSON's value_from does, and the
// types that it does not know, also inside containers.
#pragma once

#include "protocol/task/type_traits.hpp"
#include "protocol/task/types.hpp"

#include <cstddef>

namespace umbel {

json::value to_json_value(const bytes& x); ///< kombu's "base64" tag
json::value to_json_value(timestamp x);    ///< ISO 8601 text
json::value to_json_value(number x);

/// Seconds: an integer if there are no fractions.
json::value seconds_to_json(std::chrono::duration<double> x);

/// A type of the author's own is converted by Boost.JSON: give it a
/// `tag_invoke(value_from_tag, ...)` or describe it with Boost.Describe.
template <class T>
json::value to_json_value(const T& x) {
  using namespace detail;
  if constexpr (std::is_same_v<T, varargs> || std::is_same_v<T, kwargs>) {
    return x.values;
  } else if constexpr (any_duration<T>) {
    return seconds_to_json(x);
  } else if constexpr (any_time_point<T>) {
    return to_json_value(
        std::chrono::time_point_cast<std::chrono::microseconds>(x));
  } else if constexpr (any_optional<T>) {
    return x ? to_json_value(*x) : json::value{};
  } else if constexpr (any_variant<T>) {
    return std::visit([](const auto& y) { return to_json_value(y); }, x);
  } else if constexpr (std::is_same_v<T, std::monostate>) {
    return nullptr;
  } else if constexpr (any_json<T>) {
    return x;
  } else if constexpr (any_map<T>) {
    json::object to;
    for (auto& [key, value] : x) {
      if constexpr (std::is_convertible_v<decltype(key), std::string_view>)
        to[std::string_view{key}] = to_json_value(value);
      else
        to[std::to_string(key)] = to_json_value(value);
    }
    return to;
  } else if constexpr (any_sequence<T>) {
    json::array to;
    to.reserve(x.size());
    for (const typename T::value_type& y : x) // vector<bool> has proxies
      to.push_back(to_json_value(y));
    return to;
  } else if constexpr (any_tuple<T>) {
    json::array to;
    std::apply([&](auto&... ys) { (to.push_back(to_json_value(ys)), ...); }, x);
    return to;
  } else {
    return json::value_from(x);
  }
}

} // namespace umbel
