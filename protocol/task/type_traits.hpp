// Which shape of type this is, for the conversions from and to JSON.
#pragma once

#include <boost/json.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace umbel::detail {

template <class T, template <class...> class Template>
constexpr bool is_specialization = false;

template <template <class...> class Template, class... Ts>
constexpr bool is_specialization<Template<Ts...>, Template> = true;

template <class T>
concept any_optional = is_specialization<T, std::optional>;

template <class T>
concept any_variant = is_specialization<T, std::variant>;

/// JSON already.
template <class T>
concept any_json = std::same_as<T, boost::json::value> || std::same_as<
    T, boost::json::array> || std::same_as<T, boost::json::object> || std::
    same_as<T, boost::json::string>;

template <class T>
concept any_duration = is_specialization<T, std::chrono::duration>;

template <class T>
concept any_time_point =
    is_specialization<T, std::chrono::time_point> && std::same_as<
        typename T::clock, std::chrono::system_clock>;

/// tuple, pair and array: as many elements as the type says.
template <class T>
concept any_tuple = requires {
  std::tuple_size<T>::value;
};

template <class T>
concept string_like =
    std::same_as<T, std::string> || std::same_as<T, std::string_view>;

template <class T>
concept range_of_values = !string_like<T> && !any_tuple<T> && requires(T x) {
  typename T::value_type;
  x.begin();
  x.end();
};

/// map, unordered_map ...
template <class T>
concept any_map = range_of_values<T> && requires {
  typename T::key_type;
  typename T::mapped_type;
};

/// vector, list, deque, set, unordered_set ...
template <class T>
concept any_sequence = range_of_values<T> && !any_map<T>
                       && (requires(T x, typename T::value_type v) {
                            x.push_back(std::move(v));
                          } || requires(T x, typename T::value_type v) {
                            x.insert(std::move(v));
                          });

} // namespace umbel::detail
