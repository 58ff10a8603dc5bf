#include "protocol/message/task_fields.hpp"

#include "protocol/message/delivery_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace umbel {

namespace {

using std::chrono::milliseconds;

/// Reads fields of an object. The first one that is wrong is kept as the
/// problem, with what is wrong about it; later reads do no harm.
class field_reader {
public:
  explicit field_reader(const json::object& fields)
      : fields_(fields), next_(fields.begin()) {
  }

  const std::string& problem() const {
    return problem_;
  }

  std::string required_text(std::string_view key) {
    auto x = find(key);
    if (x == nullptr)
      fail(fmt::format("{} is missing", key));
    else if (auto str = x->if_string(); str == nullptr)
      wrong_kind(key, *x, "a string");
    else if (str->empty())
      fail(fmt::format("{} is empty", key));
    else
      return {str->data(), str->size()};
    return {};
  }

  std::string text(std::string_view key) {
    auto x = find(key);
    if (x == nullptr || x->is_null())
      return {};
    if (auto str = x->if_string())
      return {str->data(), str->size()};
    wrong_kind(key, *x, "a string or null");
    return {};
  }

  int64_t count(std::string_view key) {
    auto x = find(key);
    if (x == nullptr || x->is_null())
      return 0;
    auto n = x->if_int64();
    if (n == nullptr)
      wrong_kind(key, *x, "a whole number");
    else if (*n < 0)
      fail(fmt::format("{} is negative: {}", key, *n));
    else
      return *n;
    return 0;
  }

  std::optional<bool> flag(std::string_view key) {
    auto x = find(key);
    if (x == nullptr || x->is_null())
      return std::nullopt;
    if (x->is_bool())
      return x->get_bool();
    wrong_kind(key, *x, "true, false or null");
    return std::nullopt;
  }

  /// Null and the empty string mean none, as they do to Celery.
  std::optional<timestamp> time(std::string_view key) {
    auto x = find(key);
    if (x == nullptr || x->is_null())
      return std::nullopt;
    auto str = x->if_string();
    if (str == nullptr) {
      wrong_kind(key, *x, "an ISO 8601 time or null");
      return std::nullopt;
    }
    if (str->empty())
      return std::nullopt;
    auto t = parse_time(*str);
    if (t)
      return *t;
    fail(fmt::format("{}: {}", key, t.error().what));
    return std::nullopt;
  }

  /// timelimit: null, or [hard, soft] with a number of seconds or null each.
  void limits(task_header& out) {
    auto x = find("timelimit");
    if (x == nullptr || x->is_null())
      return;
    auto xs = x->if_array();
    if (xs == nullptr)
      wrong_kind("timelimit", *x, "a list [hard, soft] or null");
    else if (xs->size() != 2)
      fail(fmt::format("timelimit has {} elements, not 2: [hard, soft]",
                       xs->size()));
    else {
      out.time_limit = limit((*xs)[0]);
      out.soft_time_limit = limit((*xs)[1]);
    }
  }

private:
  /// Begins behind what was found last: Celery writes fields in the order in which
  /// they are read here.
  const json::value* find(std::string_view key) {
    for (auto left = fields_.size(); left > 0; --left) {
      if (next_ == fields_.end())
        next_ = fields_.begin();
      auto& x = *next_++;
      if (x.key() == key)
        return &x.value();
    }
    return nullptr;
  }

  /// Zero means none, as it does to Celery.
  std::optional<milliseconds> limit(const json::value& x) {
    // A hundred years: far from where milliseconds overflow.
    constexpr double max_seconds = 100 * 366 * 86'400.0;
    if (x.is_null())
      return std::nullopt;
    if (!x.is_number()) {
      wrong_kind("timelimit", x, "seconds or null");
      return std::nullopt;
    }
    auto seconds = x.to_number<double>();
    if (!(seconds >= 0) || seconds > max_seconds) {
      fail(fmt::format("timelimit of {} s is out of range", seconds));
      return std::nullopt;
    }
    if (seconds == 0)
      return std::nullopt;
    return milliseconds{std::max<int64_t>(1, std::llround(seconds * 1000))};
  }

  void wrong_kind(std::string_view key, const json::value& x,
                  std::string_view expected_kind) {
    fail(fmt::format("{} is {} ({}), not {}", key, kind_name(x),
                     python_repr(x, 40), expected_kind));
  }

  void fail(std::string why) {
    if (problem_.empty())
      problem_ = std::move(why);
  }

  const json::object& fields_;
  json::object::const_iterator next_;
  std::string problem_;
};

/// Only a hint, so what is no number is no priority, as with kombu.
int read_priority(const json::object& properties) {
  auto x = properties.if_contains("priority");
  if (x == nullptr || !x->is_number())
    return 0;
  auto p = x->to_number<double>();
  return std::isnan(p) ? 0 : static_cast<int>(std::clamp(p, 0.0, 255.0));
}

bool is_true(const json::object& obj, std::string_view key) {
  auto x = obj.if_contains(key);
  return x != nullptr && x->is_bool() && x->get_bool();
}

bool read_redelivered(const json::object& headers,
                      const json::object& properties) {
  if (is_true(headers, "redelivered"))
    return true;
  auto info = properties.if_contains("delivery_info");
  return info != nullptr && info->is_object()
         && is_true(info->get_object(), "redelivered");
}

/// Fields that have the same name in a mapping body and in headers.
constexpr std::string_view shared_names[] = {
    "lang",     "task",       "id",      "shadow",
    "eta",      "expires",    "group",   "group_index",
    "retries",  "timelimit",  "root_id", "parent_id",
    "argsrepr", "kwargsrepr", "origin",  "ignore_result"};

} // namespace

bool has_mapping_body(const envelope_view& x) {
  constexpr auto blank = " \t\r\n";
  if (!x.base64) {
    auto first = x.body.find_first_not_of(blank);
    return first != x.body.npos && x.body[first] == '{';
  }
  // Four characters of base64 are three of text: enough, but for a body with
  // much blank space before it, or with line breaks in its base64.
  auto head = decode_base64(x.body.substr(0, 4));
  if (!head || head->find_first_not_of(blank) == head->npos)
    head = decode_base64(x.body);
  if (!head)
    return false;
  auto first = head->find_first_not_of(blank);
  return first != head->npos && (*head)[first] == '{';
}

expected<translated_fields> translate_fields(const json::object& body,
                                             const json::object& headers) {
  translated_fields out;
  bool hybrid = headers.contains("task");
  if (auto x = body.if_contains("utc"); x != nullptr && x->is_bool())
    out.utc = x->get_bool();
  else if (x != nullptr && !x->is_null())
    return error{errc::malformed,
                 fmt::format("utc is {}, not true or false", kind_name(*x))};
  for (auto name : shared_names)
    if (auto x = body.if_contains(name))
      out.headers[name] = *x;
  if (auto x = body.if_contains("taskset"))
    out.headers["group"] = *x;
  for (auto& [key, value] : headers)
    if (hybrid || !out.headers.contains(key))
      out.headers[key] = value;
  return out;
}

expected<task_header> read_fields(const json::object& headers,
                                  const json::object& properties) {
  field_reader in{headers};
  task_header out;
  out.task = in.required_text("task");
  out.id = task_id{in.required_text("id")};
  out.shadow = in.text("shadow");
  out.eta = in.time("eta");
  out.expires = in.time("expires");
  out.group = in.text("group");
  out.retries = in.count("retries");
  in.limits(out);
  out.root_id = in.text("root_id");
  out.parent_id = in.text("parent_id");
  out.ignore_result = in.flag("ignore_result");
  field_reader from_properties{properties};
  out.reply_to = from_properties.text("reply_to");
  out.priority = read_priority(properties);
  out.redelivered = read_redelivered(headers, properties);
  out.deliveries = out.redelivered ? delivery_count(headers) : 0;
  out.rate_limited = is_true(headers, rate_limit_mark);
  if (!in.problem().empty())
    return error{errc::malformed, "header " + in.problem()};
  if (!from_properties.problem().empty())
    return error{errc::malformed, "property " + from_properties.problem()};
  return out;
}

} // namespace umbel
