// From an argument as it stands in a message to a parameter's C++ type. Nothing
// is lost in silence: a number with a fraction is no int, 300 is no uint8_t,
// "1" is no number, true is no number.
#pragma once

#include "protocol/task/type_traits.hpp"
#include "protocol/task/types.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace umbel {

/// Thrown by `from_json`. Reads after the argument's name: "must be int, not
/// str"; `path` says where inside the argument: "[2]['price']".
struct bad_argument {
  std::string path;
  std::string what;
};

namespace detail {

/// "must be <wanted>, not <Python's name of the type of x>"
[[noreturn]] void throw_bad_argument(const std::string& wanted,
                                     const json::value& x);
[[noreturn]] void throw_bad_argument(const std::string& wanted,
                                     const json::value& x,
                                     const std::exception& why);

bool bool_from(const json::value& x);
int64_t signed_from(const json::value& x, int64_t min, int64_t max);
uint64_t unsigned_from(const json::value& x, uint64_t max);
double double_from(const json::value& x);
std::string string_from(const json::value& x);
std::string_view string_view_from(const json::value& x);
number number_from(const json::value& x);
bytes bytes_from(const json::value& x);
timestamp timestamp_from(const json::value& x);
double seconds_from(const json::value& x, double min, double max);
const json::array& list_from(const json::value& x);
const json::array& list_from(const json::value& x, size_t size);
const json::object& dict_from(const json::value& x);
int64_t integer_key(std::string_view text);

/// "shop::point" as "point".
std::string short_type_name(const std::type_info& type);

/// What a message calls T.
template <class T>
std::string wanted_type() {
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_integral_v<T>)
    return "int";
  else if constexpr (std::is_floating_point_v<T>)
    return "float";
  else if constexpr (std::is_same_v<T, number>)
    return "int or float";
  else if constexpr (string_like<T> || std::is_same_v<T, json::string>)
    return "str";
  else if constexpr (std::is_same_v<T, bytes>)
    return "bytes";
  else if constexpr (any_time_point<T>)
    return "datetime";
  else if constexpr (any_duration<T>)
    return "a number of seconds";
  else if constexpr (any_optional<T>)
    return wanted_type<typename T::value_type>() + " or None";
  else if constexpr (any_map<T> || std::is_same_v<T, json::object>)
    return "dict";
  else if constexpr (any_sequence<
                         T> || any_tuple<T> || std::is_same_v<T, json::array>)
    return "list";
  else
    return short_type_name(typeid(T));
}

template <class... Ts>
std::string wanted_types(std::in_place_type_t<std::variant<Ts...>>) {
  std::string to;
  ((to += (to.empty() ? "" : " or ") + wanted_type<Ts>()), ...);
  return to;
}

} // namespace detail

/// Converts `x`, which must outlive the result if T is a string_view.
/// A type of the author's own is converted by Boost.JSON: give it a
/// `tag_invoke(value_to_tag<T>, ...)` or describe it with Boost.Describe.
/// @throws bad_argument
template <class T>
T from_json(const json::value& x);

namespace detail {

/// Converts one element, adding where it is to an error.
template <class T, class Where>
T element_from(const json::value& x, Where where) {
  try {
    return from_json<T>(x);
  } catch (bad_argument& e) {
    e.path.insert(0, where());
    throw;
  }
}

inline std::string at_index(size_t i) {
  return "[" + std::to_string(i) + "]";
}

template <class T>
T sequence_from(const json::value& x) {
  T to;
  size_t i = 0;
  for (auto& y : list_from(x)) {
    auto element =
        element_from<typename T::value_type>(y, [&] { return at_index(i); });
    if constexpr (requires { to.push_back(std::move(element)); })
      to.push_back(std::move(element));
    else
      to.insert(std::move(element));
    ++i;
  }
  return to;
}

template <class T>
T map_from(const json::value& x) {
  T to;
  for (auto& [key, value] : dict_from(x)) {
    std::string_view name{key};
    auto element = element_from<typename T::mapped_type>(
        value, [&] { return "['" + std::string{name} + "']"; });
    if constexpr (std::is_integral_v<typename T::key_type>)
      to.emplace(from_json<typename T::key_type>(integer_key(name)),
                 std::move(element));
    else
      to.emplace(typename T::key_type{name}, std::move(element));
  }
  return to;
}

template <class T, size_t... I>
T tuple_from(const json::value& x, std::index_sequence<I...>) {
  auto& list = list_from(x, sizeof...(I));
  return T{element_from<std::tuple_element_t<I, T>>(
      list[I], [] { return at_index(I); })...};
}

/// The first alternative that fits.
template <class T, size_t I = 0>
T variant_from(const json::value& x) {
  if constexpr (I == std::variant_size_v<T>) {
    throw_bad_argument(wanted_types(std::in_place_type<T>), x);
  } else if constexpr (std::is_same_v<std::variant_alternative_t<I, T>,
                                      std::monostate>) {
    return x.is_null() ? T{std::monostate{}} : variant_from<T, I + 1>(x);
  } else {
    try {
      return T{std::in_place_index<I>,
               from_json<std::variant_alternative_t<I, T>>(x)};
    } catch (const bad_argument&) {
      return variant_from<T, I + 1>(x);
    }
  }
}

template <class T>
T user_type_from(const json::value& x) {
  try {
    return json::value_to<T>(x);
  } catch (const std::exception& e) {
    throw_bad_argument(wanted_type<T>(), x, e);
  }
}

} // namespace detail

template <class T>
T from_json(const json::value& x) {
  using namespace detail;
  using limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, json::value>) {
    return x;
  } else if constexpr (std::is_same_v<T, json::object>) {
    return dict_from(x);
  } else if constexpr (std::is_same_v<T, json::array>) {
    return list_from(x);
  } else if constexpr (std::is_same_v<T, json::string>) {
    return json::string{string_view_from(x)};
  } else if constexpr (std::is_same_v<T, bool>) {
    return bool_from(x);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return static_cast<T>(signed_from(x, limits::min(), limits::max()));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(unsigned_from(x, limits::max()));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(double_from(x));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return string_from(x);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return string_view_from(x);
  } else if constexpr (std::is_same_v<T, number>) {
    return number_from(x);
  } else if constexpr (std::is_same_v<T, bytes>) {
    return bytes_from(x);
  } else if constexpr (any_time_point<T>) {
    return std::chrono::time_point_cast<typename T::duration>(
        timestamp_from(x));
  } else if constexpr (any_duration<T>) {
    using real = std::chrono::duration<double>;
    auto count =
        seconds_from(x, real{T::min()}.count(), real{T::max()}.count());
    return std::chrono::duration_cast<T>(real{count});
  } else if constexpr (any_optional<T>) {
    return x.is_null() ? T{} : T{from_json<typename T::value_type>(x)};
  } else if constexpr (any_variant<T>) {
    return variant_from<T>(x);
  } else if constexpr (any_map<T>) {
    return map_from<T>(x);
  } else if constexpr (any_sequence<T>) {
    return sequence_from<T>(x);
  } else if constexpr (any_tuple<T>) {
    return tuple_from<T>(x, std::make_index_sequence<std::tuple_size_v<T>>{});
  } else {
    static_assert(json::has_value_to<T>::value,
                  "a task's parameter type needs a conversion from JSON: "
                  "tag_invoke(boost::json::value_to_tag<T>, ...)");
    return user_type_from<T>(x);
  }
}

} // namespace umbel
