#include "protocol/webhook/endpoint.hpp"

#include "protocol/http/access.hpp"
#include "protocol/http/trust.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace umbel::webhook {

namespace {

constexpr std::array methods{"GET", "POST", "PUT", "PATCH", "DELETE"};

/// Of a response: more does not fit into a result.
constexpr int64_t response_bytes_limit = 64u << 20;

/// One member of an endpoint, and where it stands.
struct member {
  std::string_view task;
  std::string_view name;
  const json::value& value;

  error wrong(std::string_view wanted) const {
    return {errc::invalid_setting,
            fmt::format("webhook_tasks['{}'].{} is {}; expected {}", task, name,
                        to_json(value), wanted)};
  }

  /// Without the value, which may hold a secret.
  error wrong_because(const std::string& why) const {
    return {errc::invalid_setting,
            fmt::format("webhook_tasks['{}'].{}: {}", task, name, why)};
  }

  expected<std::string> text() const {
    if (!value.is_string())
      return wrong("text");
    return std::string{std::string_view{value.get_string()}};
  }

  expected<bool> flag() const {
    if (!value.is_bool())
      return wrong("true or false");
    return value.get_bool();
  }

  expected<int64_t> number(int64_t min, int64_t max) const {
    boost::system::error_code ec;
    auto x = value.to_number<int64_t>(ec);
    if (ec || x < min || x > max)
      return wrong(fmt::format("a whole number from {} to {}", min, max));
    return x;
  }

  template <class Duration>
  expected<Duration> seconds(double min) const {
    boost::system::error_code ec;
    auto x = value.to_number<double>(ec);
    if (ec || !(x >= min) || x > 86'400)
      return wrong(fmt::format("a number of seconds from {} to 86400", min));
    return std::chrono::ceil<Duration>(std::chrono::duration<double>{x});
  }
};

/// Sets a member of the endpoint to what was read.
template <class T, class U>
expected<void> assign(T& to, expected<U> x) {
  if (!x)
    return x.error();
  to = static_cast<T>(std::move(*x));
  return {};
}

expected<void> read_url(endpoint& to, const member& x) {
  return assign(to.url, x.text());
}

expected<void> read_method(endpoint& to, const member& x) {
  auto done = assign(to.method, x.text());
  if (done && !is_method(to.method))
    return x.wrong(fmt::format("one of {}", fmt::join(methods, ", ")));
  return done;
}

expected<void> read_headers(endpoint& to, const member& x) {
  auto* all = x.value.if_object();
  if (!all)
    return x.wrong_because("expected an object of header names and texts");
  constexpr std::string_view bad_in_name = " :\r\n\t";
  for (auto& [name, value] : *all) {
    std::string_view key = name;
    auto* text = value.if_string();
    if (!text || key.empty() || key.find_first_of(bad_in_name) != key.npos
        || std::string_view{*text}.find_first_of("\r\n") != key.npos)
      return x.wrong_because(fmt::format("'{}' is no header with one line of "
                                         "text",
                                         key));
    to.headers.emplace_back(key, std::string_view{*text});
  }
  return {};
}

expected<void> read_max_retries(endpoint& to, const member& x) {
  if (!x.value.is_null())
    return assign(to.max_retries, x.number(0, 1'000'000));
  to.max_retries.reset();
  return {};
}

/// What members there are. TLS is read apart: two of them make one value.
struct reader {
  std::string_view name;
  expected<void> (*read)(endpoint&, const member&);
};

constexpr reader readers[] = {
    {"url", read_url},
    {"method", read_method},
    {"headers", read_headers},
    {"timeout",
     [](endpoint& to, const member& x) {
       return assign(to.timeout, x.seconds<std::chrono::milliseconds>(0.001));
     }},
    {"max_retries", read_max_retries},
    {"retry_backoff",
     [](endpoint& to, const member& x) {
       return assign(to.retry_backoff, x.seconds<std::chrono::seconds>(0));
     }},
    {"retry_backoff_max",
     [](endpoint& to, const member& x) {
       return assign(to.retry_backoff_max, x.seconds<std::chrono::seconds>(0));
     }},
    {"retry_jitter",
     [](endpoint& to, const member& x) {
       return assign(to.retry_jitter, x.flag());
     }},
    {"max_redirects",
     [](endpoint& to, const member& x) {
       return assign(to.max_redirects, x.number(0, 50));
     }},
    {"response_bytes_max",
     [](endpoint& to, const member& x) {
       return assign(to.response_bytes_max, x.number(1, response_bytes_limit));
     }},
    {"acks_late",
     [](endpoint& to, const member& x) {
       return assign(to.acks_late, x.flag());
     }},
    {"ca_file", [](endpoint&, const member& x) { return x.text().has_value()
                                                     ? expected<void>{}
                                                     : x.wrong("text"); }},
    {"verify", [](endpoint&, const member& x) { return x.flag().has_value()
                                                    ? expected<void>{}
                                                    : x.wrong("true or false"); }},
};

expected<void> read_trust(endpoint& to, const json::object& from) {
  auto* file = from.if_contains("ca_file");
  auto* verify = from.if_contains("verify");
  if (!file && !verify)
    return {};
  auto trust = http::trust::make(
      file ? std::string{std::string_view{file->get_string()}} : std::string{},
      !verify || verify->get_bool());
  if (!trust)
    return error{errc::invalid_setting,
                 fmt::format("webhook_tasks['{}'].ca_file: {}", to.task,
                             trust.error().what)};
  to.trust = std::move(*trust);
  return {};
}

/// @param rules what holds for all of them
expected<endpoint> read_endpoint(std::string_view task, const json::value& from,
                                 const http::access& rules) {
  auto fail = [&](std::string_view why) {
    return error{errc::invalid_setting,
                 fmt::format("webhook_tasks['{}'] {}", task, why)};
  };
  endpoint to;
  to.task = task;
  auto is_dispatch = task == dispatch_task;
  if (task.empty() || (task.starts_with("celery.") && !is_dispatch))
    return fail("cannot be: tasks that begin with celery. are Celery's own");
  // The URL alone is enough.
  json::object members;
  if (auto* url = from.if_string())
    members["url"] = *url;
  else if (auto* object = from.if_object())
    members = *object;
  else
    return fail("is neither a URL nor an object");
  for (auto& [name, value] : members) {
    auto row = std::ranges::find(readers, std::string_view{name}, &reader::name);
    if (row == std::end(readers)) {
      std::vector<std::string_view> names;
      for (auto& x : readers)
        names.push_back(x.name);
      return fail(fmt::format("has no member '{}'; there are {}",
                              std::string_view{name}, fmt::join(names, ", ")));
    }
    if (auto done = row->read(to, {task, row->name, value}); !done)
      return done.error();
  }
  if (auto done = read_trust(to, members); !done)
    return done.error();
  auto access = std::make_shared<http::access>(rules);
  if (is_dispatch && (members.contains("url") || members.contains("method")))
    return fail("has a url or method: its callers say where it goes");
  if (!is_dispatch) {
    auto target = http::parse_target(to.url);
    if (!target)
      return fail(to.url.empty() ? "has no url"
                                 : "cannot be sent: " + target.error().what);
    access->add(*target);
    if (auto fine = access->check(*target); !fine)
      return fail("cannot be reached: " + fine.error().what);
  }
  to.access = std::move(access);
  return to;
}

expected<std::vector<std::string>> read_list(const json::object& settings,
                                             const char* name) {
  std::vector<std::string> result;
  auto* list = settings.if_contains(name);
  if (!list || list->is_null())
    return result;
  auto fail = error{errc::invalid_setting,
                    std::string{name} + " must be a list of texts"};
  if (!list->is_array())
    return fail;
  for (auto& x : list->get_array()) {
    if (!x.is_string())
      return fail;
    result.emplace_back(std::string_view{x.get_string()});
  }
  return result;
}

expected<http::access> read_access(const json::object& settings) {
  auto hosts = read_list(settings, "webhook_allowed_hosts");
  if (!hosts)
    return hosts.error();
  auto networks = read_list(settings, "webhook_allowed_networks");
  if (!networks)
    return networks.error();
  auto named = [](const char* setting, const error& why) {
    return error{errc::invalid_setting, std::string{setting} + ": " + why.what};
  };
  if (auto fine = http::access::make(*hosts, {}); !fine)
    return named("webhook_allowed_hosts", fine.error());
  auto result = http::access::make(*hosts, *networks);
  if (!result)
    return named("webhook_allowed_networks", result.error());
  return result;
}

} // namespace

bool is_method(std::string_view x) {
  return std::ranges::find(methods, x) != methods.end();
}

bool has_query(std::string_view method) {
  return method == "GET" || method == "DELETE";
}

expected<std::vector<endpoint>> read_endpoints(const json::object& settings) {
  auto access = read_access(settings);
  if (!access)
    return access.error();
  static const json::object none;
  auto* tasks = settings.if_contains("webhook_tasks");
  if (tasks && !tasks->is_null() && !tasks->is_object())
    return error{errc::invalid_setting,
                 "webhook_tasks must be an object: names of tasks, and for each "
                 "its URL or an object"};
  auto& declared = tasks && tasks->is_object() ? tasks->get_object() : none;
  std::vector<endpoint> result;
  for (auto& [name, value] : declared) {
    auto one = read_endpoint(name, value, *access);
    if (!one)
      return one.error();
    result.push_back(std::move(*one));
  }
  if (!declared.contains(dispatch_task)) {
    auto one = read_endpoint(dispatch_task, json::object{}, *access);
    if (!one)
      return one.error();
    result.push_back(std::move(*one));
  }
  return result;
}

} // namespace umbel::webhook
