// How a JSON value becomes a typed member of `settings` and back: one
// specialization for each type of member. Internal to the table of settings.
#pragma once

#include "protocol/client/setting_table.hpp"

#include <cmath>
#include <concepts>
#include <limits>

namespace umbel::detail {

/// "setting 'x' in conf.json is 5; expected text". A secret value is not shown.
error wrong_value(const setting_origin& origin, const json::value& value,
                  const std::string& wanted);

/// Reads the members of an object by a table of their own.
/// @param known_only members that peers know and that have no effect here
template <class T>
struct member_info {
  std::string_view name;
  expected<void> (*set)(T&, const json::value&, const setting_origin&);
};

/// The error for `member`, which `origin` does not have, or a warning for one
/// that has no effect.
expected<void> other_member(std::string_view member,
                            std::span<const std::string_view> valid,
                            std::span<const std::string_view> without_effect,
                            const setting_origin& origin);

struct bounds {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int32_t>::max();
};

template <class T>
struct setting_value;

template <>
struct setting_value<bool> {
  static constexpr auto kind = setting_kind::boolean;

  static expected<void> set(bool& x, const json::value& value,
                            const setting_origin& origin, bounds) {
    if (!value.is_bool())
      return wrong_value(origin, value, "true or false");
    x = value.get_bool();
    return {};
  }

  static json::value get(bool x) {
    return x;
  }
};

template <std::integral T>
struct setting_value<T> {
  static constexpr auto kind = setting_kind::integer;

  static expected<void> set(T& x, const json::value& value,
                            const setting_origin& origin, bounds limits) {
    boost::system::error_code ec;
    auto number = value.to_number<int64_t>(ec);
    if (ec || number < limits.min || number > limits.max) {
      auto wanted = "a whole number from " + std::to_string(limits.min);
      if (limits.max == bounds{}.max)
        wanted += " up";
      else
        wanted += " to " + std::to_string(limits.max);
      return wrong_value(origin, value, wanted);
    }
    x = static_cast<T>(number);
    return {};
  }

  static json::value get(T x) {
    return x;
  }
};

template <class Rep, class Period>
struct setting_value<std::chrono::duration<Rep, Period>> {
  using type = std::chrono::duration<Rep, Period>;

  static constexpr auto kind = setting_kind::seconds;

  /// A century: longer is a mistake, and would overflow what is computed.
  static constexpr double max = 100 * 365.25 * 86'400;

  static expected<void> set(type& x, const json::value& value,
                            const setting_origin& origin, bounds) {
    boost::system::error_code ec;
    auto seconds = value.to_number<double>(ec);
    if (ec || !(seconds >= 0) || seconds > max)
      return wrong_value(origin, value, "a number of seconds, 0 or more");
    x = std::chrono::round<type>(std::chrono::duration<double>{seconds});
    // Zero often means "for ever", which a small number does not.
    if (seconds > 0 && x == type::zero())
      x = type{1};
    return {};
  }

  static json::value get(type x) {
    auto seconds = std::chrono::duration<double>{x}.count();
    if (seconds == std::floor(seconds))
      return static_cast<int64_t>(seconds);
    return seconds;
  }
};

template <>
struct setting_value<std::string> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(std::string& x, const json::value& value,
                            const setting_origin& origin, bounds) {
    if (!value.is_string())
      return wrong_value(origin, value, "text");
    x = value.get_string();
    return {};
  }

  static json::value get(const std::string& x) {
    return json::value(x);
  }
};

/// As it stands: whoever uses it knows what it holds.
template <>
struct setting_value<json::object> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(json::object& x, const json::value& value,
                            const setting_origin& origin, bounds) {
    if (!value.is_object())
      return wrong_value(origin, value, "an object");
    x = value.get_object();
    return {};
  }

  static json::value get(const json::object& x) {
    return x;
  }
};

template <>
struct setting_value<name_or_number> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(name_or_number& x, const json::value& value,
                            const setting_origin& origin, bounds) {
    if (value.is_string())
      x.text = value.get_string();
    else if (value.is_int64() && value.get_int64() >= 0)
      x.text = std::to_string(value.get_int64());
    else
      return wrong_value(origin, value, "a name or a number");
    return {};
  }

  static json::value get(const name_or_number& x) {
    return json::value(x.text);
  }
};

template <class T>
struct setting_value<std::optional<T>> {
  static constexpr auto kind = setting_value<T>::kind;

  static expected<void> set(std::optional<T>& x, const json::value& value,
                            const setting_origin& origin, bounds limits) {
    if (value.is_null()) {
      x.reset();
      return {};
    }
    T given{};
    auto result = setting_value<T>::set(given, value, origin, limits);
    if (result)
      x = std::move(given);
    return result;
  }

  static json::value get(const std::optional<T>& x) {
    return x ? setting_value<T>::get(*x) : json::value{};
  }
};

template <class T>
struct setting_value<std::vector<T>> {
  static constexpr auto kind = setting_kind::list;

  static expected<void> set(std::vector<T>& x, const json::value& value,
                            const setting_origin& origin, bounds limits) {
    if (!value.is_array())
      return wrong_value(origin, value, "a list");
    std::vector<T> items;
    for (auto& item : value.get_array()) {
      auto here = origin;
      here.name += '[' + std::to_string(items.size()) + ']';
      auto result =
          setting_value<T>::set(items.emplace_back(), item, here, limits);
      if (!result)
        return result;
    }
    x = std::move(items);
    return {};
  }

  static json::value get(const std::vector<T>& xs) {
    json::array result;
    for (auto& x : xs)
      result.push_back(setting_value<T>::get(x));
    return result;
  }
};

// -- words: setting_words.cpp ---------------------------------------------------

/// A serializer by its name or content type. Why pickle is none is said.
template <>
struct setting_value<serializer> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(serializer& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(serializer x);
};

/// transient or persistent, or AMQP's number of it.
template <>
struct setting_value<delivery_mode> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(delivery_mode& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(delivery_mode x);
};

/// A compression by its name, alias or mime type.
template <>
struct setting_value<compression> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(compression& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(compression x);
};

// -- objects with members of their own: setting_value.cpp ---------------------

template <>
struct setting_value<broker_transport_options> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(broker_transport_options& x,
                            const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const broker_transport_options& x);
};

template <>
struct setting_value<result_transport_options> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(result_transport_options& x,
                            const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const result_transport_options& x);
};

/// A name or an object. The list of them may also be an object whose keys are
/// the names, as in Celery.
template <>
struct setting_value<queue_setting> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(queue_setting& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const queue_setting& x);
};

template <>
struct setting_value<std::vector<queue_setting>> {
  static constexpr auto kind = setting_kind::list;

  static expected<void> set(std::vector<queue_setting>& x,
                            const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const std::vector<queue_setting>& x);
};

// -- routing: setting_routing.cpp -----------------------------------------------

template <>
struct setting_value<routes_setting> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(routes_setting& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const routes_setting& x);
};

template <>
struct setting_value<publish_retry_policy> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(publish_retry_policy& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const publish_retry_policy& x);
};

// -- more objects: setting_value.cpp --------------------------------------------

/// True, false, or an object with files and what is verified.
template <>
struct setting_value<ssl_setting> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(ssl_setting& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const ssl_setting& x);
};

/// Text, or a number per second.
template <>
struct setting_value<rate_setting> {
  static constexpr auto kind = setting_kind::text;

  static expected<void> set(rate_setting& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const rate_setting& x);
};

template <>
struct setting_value<task_annotation> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(task_annotation& x, const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const task_annotation& x);
};

template <>
struct setting_value<std::map<std::string, task_annotation>> {
  static constexpr auto kind = setting_kind::object;

  static expected<void> set(std::map<std::string, task_annotation>& x,
                            const json::value& value,
                            const setting_origin& origin, bounds);

  static json::value get(const std::map<std::string, task_annotation>& x);
};

} // namespace umbel::detail
