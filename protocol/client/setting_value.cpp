#include "protocol/client/setting_value.hpp"

#include "protocol/client/nearest.hpp"
#include "protocol/rate.hpp"

#include <cctype>
#include <tuple>

namespace umbel::detail {

namespace {

/// Longest value that an error line shows.
constexpr size_t shown_max = 60;

// Wraps the conversion of one member of an object.
template <class T, auto Member>
expected<void> set_member(T& x, const json::value& value,
                          const setting_origin& origin) {
  using type = std::remove_cvref_t<decltype(x.*Member)>;
  return setting_value<type>::set(x.*Member, value, origin, {});
}

// Reads an object whose members are those of `table`.
template <class T, size_t N>
expected<void> set_object(T& x, const json::value& value,
                          const setting_origin& origin,
                          const member_info<T> (&table)[N],
                          std::span<const std::string_view> without_effect) {
  if (!value.is_object())
    return wrong_value(origin, value, "an object");
  T result{};
  for (auto& [key, member] : value.get_object()) {
    auto here = origin;
    here.name += '.' + std::string{key};
    const member_info<T>* row = nullptr;
    std::vector<std::string_view> names;
    for (auto& candidate : table) {
      names.push_back(candidate.name);
      if (candidate.name == std::string_view{key})
        row = &candidate;
    }
    auto done = row ? row->set(result, member, here)
                    : other_member(key, names, without_effect, origin);
    if (!done)
      return done;
  }
  x = std::move(result);
  return {};
}

using broker_options_row = member_info<broker_transport_options>;

template <auto Member>
constexpr auto broker_member = set_member<broker_transport_options, Member>;

constexpr broker_options_row broker_members[] = {
    {"visibility_timeout",
     broker_member<&broker_transport_options::visibility_timeout>},
    {"global_keyprefix",
     broker_member<&broker_transport_options::global_keyprefix>},
    {"priority_steps",
     broker_member<&broker_transport_options::priority_steps>},
    {"sep", broker_member<&broker_transport_options::sep>},
    {"socket_timeout",
     broker_member<&broker_transport_options::socket_timeout>},
    {"socket_connect_timeout",
     broker_member<&broker_transport_options::socket_connect_timeout>},
    {"data_folder_in",
     broker_member<&broker_transport_options::data_folder_in>},
    {"data_folder_out",
     broker_member<&broker_transport_options::data_folder_out>},
    {"control_folder",
     broker_member<&broker_transport_options::control_folder>},
    {"processed_folder",
     broker_member<&broker_transport_options::processed_folder>},
    {"store_processed",
     broker_member<&broker_transport_options::store_processed>},
};

// What kombu's Redis transport takes besides.
constexpr std::string_view broker_members_without_effect[] = {
    "ack_emulation",
    "async_pool",
    "brpop_timeout",
    "client_name",
    "confirm_publish",
    "credential_provider",
    "errback",
    "fanout_patterns",
    "fanout_prefix",
    "health_check_interval",
    "interval_max",
    "interval_start",
    "interval_step",
    "keyprefix_fanout",
    "keyprefix_queue",
    "master_name",
    "max_connections",
    "max_retries",
    "polling_interval",
    "queue_order_strategy",
    "retry_on_timeout",
    "sentinel_kwargs",
    "socket_keepalive",
    "socket_keepalive_options",
    "unacked_index_key",
    "unacked_key",
    "unacked_mutex_expire",
    "unacked_mutex_key",
    "unacked_restore_limit",
};

constexpr member_info<result_transport_options> result_members[] = {
    {"global_keyprefix",
     set_member<result_transport_options,
                &result_transport_options::global_keyprefix>},
};

constexpr std::string_view result_members_without_effect[] = {
    "additional_connection_errors",
    "client_name",
    "health_check_interval",
    "master_name",
    "result_chord_ordered",
    "retry_on_timeout",
    "retry_policy",
    "sentinel_kwargs",
    "socket_keepalive",
    "visibility_timeout",
};

template <auto Member>
constexpr auto annotation_member = set_member<task_annotation, Member>;

constexpr member_info<task_annotation> annotation_members[] = {
    {"rate_limit", annotation_member<&task_annotation::rate_limit>},
    {"rate_limit_scope", annotation_member<&task_annotation::rate_limit_scope>},
    {"rate_limit_key", annotation_member<&task_annotation::rate_limit_key>},
};

// What a Python task has besides.
constexpr std::string_view annotation_members_without_effect[] = {
    "Request",
    "Strategy",
    "abstract",
    "acks_late",
    "acks_on_failure_or_timeout",
    "autoregister",
    "autoretry_for",
    "backend",
    "compression",
    "default_retry_delay",
    "expires",
    "ignore_result",
    "max_retries",
    "on_failure",
    "on_retry",
    "on_success",
    "priority",
    "reject_on_worker_lost",
    "resultrepr_maxsize",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
    "send_events",
    "serializer",
    "soft_time_limit",
    "store_errors_even_if_ignored",
    "store_eager_result",
    "throws",
    "time_limit",
    "track_started",
    "trail",
    "typing",
};

template <auto Member>
constexpr auto queue_member = set_member<queue_setting, Member>;

// Kept as JSON: only the broker knows what it means.
expected<void> set_queue_arguments(queue_setting& x, const json::value& value,
                                   const setting_origin& origin) {
  if (!value.is_null() && !value.is_object())
    return wrong_value(origin, value, "an object");
  x.queue_arguments = value.is_null() ? "{}" : json::serialize(value);
  return {};
}

constexpr member_info<queue_setting> queue_members[] = {
    {"name", queue_member<&queue_setting::name>},
    {"exchange", queue_member<&queue_setting::exchange>},
    {"exchange_type", queue_member<&queue_setting::exchange_type>},
    {"routing_key", queue_member<&queue_setting::routing_key>},
    {"delivery_mode", queue_member<&queue_setting::delivery_mode>},
    {"max_priority", queue_member<&queue_setting::max_priority>},
    {"queue_arguments", set_queue_arguments},
};

constexpr std::string_view queue_members_without_effect[] = {
    "alias",      "auto_delete",      "binding_arguments", "binding_key",
    "bindings",   "durable",          "exclusive",         "expires",
    "max_length", "max_length_bytes", "message_ttl",       "no_ack",
    "no_declare", "consumer_arguments",
};

// Python's ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED, and their values.
expected<void> set_cert_reqs(ssl_setting& x, const json::value& value,
                             const setting_origin& origin) {
  for (auto& [name, number, verify] :
       {std::tuple{"none", 0, false}, std::tuple{"optional", 1, true},
        std::tuple{"required", 2, true}}) {
    std::string text;
    if (value.is_string())
      for (auto c : value.get_string())
        text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (text == name || text == std::string{"cert_"} + name
        || (value.is_int64() && value.get_int64() == number)) {
      x.verify = verify;
      return {};
    }
  }
  return wrong_value(origin, value,
                     "one of CERT_REQUIRED, CERT_OPTIONAL, CERT_NONE");
}

template <auto Member>
constexpr auto ssl_member = set_member<ssl_setting, Member>;

constexpr member_info<ssl_setting> ssl_members[] = {
    {"ca_certs", ssl_member<&ssl_setting::ca_certs>},
    {"certfile", ssl_member<&ssl_setting::certfile>},
    {"keyfile", ssl_member<&ssl_setting::keyfile>},
    {"cert_reqs", set_cert_reqs},
};

// What py-amqp takes besides.
constexpr std::string_view ssl_members_without_effect[] = {
    "ciphers",         "context",    "do_handshake_on_connect",
    "server_hostname", "server_side", "sni",
    "ssl_version",     "suppress_ragged_eofs",
};

// What was left out is filled in when all settings are known (routing_settings.cpp).
expected<void> check_name(const queue_setting& x, const json::value& value,
                          const setting_origin& origin) {
  if (x.name.empty())
    return wrong_value(origin, value, "a queue with a name");
  return {};
}

} // namespace

error wrong_value(const setting_origin& origin, const json::value& value,
                  const std::string& wanted) {
  auto shown =
      origin.secret ? " is of the wrong type" : " is " + json::serialize(value);
  if (shown.size() > shown_max)
    shown = shown.substr(0, shown_max) + "...";
  return {errc::invalid_setting, "setting '" + origin.name + "' " + origin.where
                                     + shown + "; expected " + wanted};
}

expected<void> other_member(std::string_view member,
                            std::span<const std::string_view> valid,
                            std::span<const std::string_view> without_effect,
                            const setting_origin& origin) {
  auto full = origin.name + '.' + std::string{member};
  for (auto& name : without_effect) {
    if (name == member) {
      if (origin.warnings)
        origin.warnings->push_back("setting '" + full + "' " + origin.where
                                   + " is not supported yet: it has no effect");
      return {};
    }
  }
  auto text = "unknown setting '" + full + "' " + origin.where;
  if (auto meant = nearest(member, valid)) {
    text += "; did you mean '" + std::string{*meant} + "'?";
  } else {
    text += "; " + origin.name + " has";
    for (auto& name : valid)
      text += (&name == &valid.front() ? " " : ", ") + std::string{name};
  }
  return error{errc::invalid_setting, text};
}

// -- broker_transport_options -------------------------------------------------

expected<void> setting_value<broker_transport_options>::set(
    broker_transport_options& x, const json::value& value,
    const setting_origin& origin, bounds) {
  broker_transport_options given;
  auto result = set_object(given, value, origin, broker_members,
                           broker_members_without_effect);
  if (!result)
    return result;
  auto& steps = given.priority_steps;
  if (steps.empty() || steps.front() != 0 || steps.back() > 9
      || std::adjacent_find(steps.begin(), steps.end(), std::greater_equal{})
             != steps.end())
    return wrong_value(origin, setting_value<std::vector<int>>::get(steps),
                       "priority_steps that begin with 0 and rise to at most "
                       "9");
  if (given.visibility_timeout < std::chrono::seconds{1})
    return wrong_value(origin, value, "a visibility_timeout of 1 s or more");
  x = std::move(given);
  return {};
}

json::value setting_value<broker_transport_options>::get(
    const broker_transport_options& x) {
  using ms = std::optional<std::chrono::milliseconds>;
  return json::object{
      {"visibility_timeout",
       setting_value<std::chrono::milliseconds>::get(x.visibility_timeout)},
      {"global_keyprefix", x.global_keyprefix},
      {"priority_steps",
       setting_value<std::vector<int>>::get(x.priority_steps)},
      {"sep", x.sep},
      {"socket_timeout", setting_value<ms>::get(x.socket_timeout)},
      {"socket_connect_timeout",
       setting_value<ms>::get(x.socket_connect_timeout)},
      {"data_folder_in", x.data_folder_in},
      {"data_folder_out", x.data_folder_out},
      {"control_folder", x.control_folder},
      {"processed_folder", x.processed_folder},
      {"store_processed", x.store_processed},
  };
}

// -- result_backend_transport_options -----------------------------------------

expected<void> setting_value<result_transport_options>::set(
    result_transport_options& x, const json::value& value,
    const setting_origin& origin, bounds) {
  return set_object(x, value, origin, result_members,
                    result_members_without_effect);
}

json::value setting_value<result_transport_options>::get(
    const result_transport_options& x) {
  return json::object{{"global_keyprefix", x.global_keyprefix}};
}

// -- task_queues --------------------------------------------------------------

expected<void> setting_value<queue_setting>::set(queue_setting& x,
                                                 const json::value& value,
                                                 const setting_origin& origin,
                                                 bounds) {
  if (value.is_string()) {
    x = {};
    x.name = value.get_string();
    return check_name(x, value, origin);
  }
  if (!value.is_object())
    return wrong_value(origin, value, "a queue: a name, or an object");
  auto result =
      set_object(x, value, origin, queue_members, queue_members_without_effect);
  return result ? check_name(x, value, origin) : result;
}

json::value setting_value<queue_setting>::get(const queue_setting& x) {
  return json::object{{"name", x.name},
                      {"exchange", x.exchange},
                      {"exchange_type", x.exchange_type},
                      {"routing_key", x.routing_key},
                      {"delivery_mode",
                       setting_value<std::optional<delivery_mode>>::get(
                           x.delivery_mode)},
                      {"max_priority",
                       setting_value<std::optional<int>>::get(x.max_priority)},
                      {"queue_arguments", json::parse(x.queue_arguments)}};
}

expected<void> setting_value<std::vector<queue_setting>>::set(
    std::vector<queue_setting>& x, const json::value& value,
    const setting_origin& origin, bounds limits) {
  json::array list;
  if (value.is_object()) {
    for (auto& [name, options] : value.get_object()) {
      auto item = options.is_object() ? options.get_object() : json::object{};
      item["name"] = name;
      list.push_back(std::move(item));
    }
  } else if (value.is_array()) {
    list = value.get_array();
  } else {
    return wrong_value(origin, value, "a list of queues");
  }
  std::vector<queue_setting> result;
  for (auto& item : list) {
    auto here = origin;
    here.name += '[' + std::to_string(result.size()) + ']';
    auto& added = result.emplace_back();
    auto done = setting_value<queue_setting>::set(added, item, here, limits);
    if (!done)
      return done;
  }
  x = std::move(result);
  return {};
}

json::value setting_value<std::vector<queue_setting>>::get(
    const std::vector<queue_setting>& xs) {
  json::array result;
  for (auto& x : xs)
    result.push_back(setting_value<queue_setting>::get(x));
  return result;
}

// -- broker_use_ssl -----------------------------------------------------------

expected<void> setting_value<ssl_setting>::set(ssl_setting& x,
                                               const json::value& value,
                                               const setting_origin& origin,
                                               bounds) {
  if (value.is_bool()) {
    x = {};
    x.enabled = value.get_bool();
    return {};
  }
  if (!value.is_object())
    return wrong_value(origin, value, "true, false or an object");
  auto done =
      set_object(x, value, origin, ssl_members, ssl_members_without_effect);
  x.enabled = true;
  return done;
}

json::value setting_value<ssl_setting>::get(const ssl_setting& x) {
  if (!x.enabled)
    return false;
  return json::object{{"ca_certs", x.ca_certs},
                      {"certfile", x.certfile},
                      {"keyfile", x.keyfile},
                      {"cert_reqs", x.verify ? "CERT_REQUIRED" : "CERT_NONE"}};
}

// -- task_default_rate_limit, task_annotations --------------------------------

expected<void> setting_value<rate_setting>::set(rate_setting& x,
                                                const json::value& value,
                                                const setting_origin& origin,
                                                bounds) {
  std::string text;
  if (value.is_string())
    text = value.get_string();
  else if (value.is_number())
    text = json::serialize(value);
  if (text.empty() || !parse_rate(text))
    return wrong_value(origin, value, "a rate such as 10/s, 100/m or 1000/h");
  x.text = std::move(text);
  return {};
}

json::value setting_value<rate_setting>::get(const rate_setting& x) {
  return json::value(x.text);
}

expected<void> setting_value<task_annotation>::set(task_annotation& x,
                                                   const json::value& value,
                                                   const setting_origin& origin,
                                                   bounds) {
  auto done = set_object(x, value, origin, annotation_members,
                         annotation_members_without_effect);
  if (done && x.rate_limit_scope && *x.rate_limit_scope != "worker"
      && *x.rate_limit_scope != "cluster")
    return wrong_value(origin, value,
                       "a rate_limit_scope of worker or cluster");
  return done;
}

json::value setting_value<task_annotation>::get(const task_annotation& x) {
  using text = std::optional<std::string>;
  return json::object{
      {"rate_limit", setting_value<std::optional<rate_setting>>::get(
                         x.rate_limit)},
      {"rate_limit_scope", setting_value<text>::get(x.rate_limit_scope)},
      {"rate_limit_key", setting_value<text>::get(x.rate_limit_key)}};
}

expected<void> setting_value<std::map<std::string, task_annotation>>::set(
    std::map<std::string, task_annotation>& x, const json::value& value,
    const setting_origin& origin, bounds) {
  std::map<std::string, task_annotation> result;
  if (!value.is_object() && !value.is_null())
    return wrong_value(origin, value, "an object by names of tasks");
  if (value.is_object())
    for (auto& [name, options] : value.get_object()) {
      auto here = origin;
      here.name += '.' + std::string{name};
      auto done = setting_value<task_annotation>::set(
          result[std::string{name}], options, here, {});
      if (!done)
        return done;
    }
  x = std::move(result);
  return {};
}

json::value setting_value<std::map<std::string, task_annotation>>::get(
    const std::map<std::string, task_annotation>& xs) {
  json::object result;
  for (auto& [name, x] : xs)
    result.emplace(name, setting_value<task_annotation>::get(x));
  return result;
}

} // namespace umbel::detail
