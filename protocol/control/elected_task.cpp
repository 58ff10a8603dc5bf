#include "protocol/control/elected_task.hpp"

#include "protocol/control/arguments.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/time.hpp"

#include <algorithm>

namespace umbel {

namespace {

using remote::find;

error refused(errc code, const std::string& why) {
  return {code, "the elected task cannot be sent: " + why};
}

std::string text(const json::object& from, std::string_view key) {
  auto x = find(from, key);
  return x && x->is_string() ? std::string{std::string_view{x->get_string()}}
                             : std::string{};
}

/// One signature or several: a message has a list.
json::value list_of(const json::object& options, std::string_view key) {
  auto x = find(options, key);
  if (x == nullptr)
    return nullptr;
  return x->is_array() ? *x : json::value(json::array{*x});
}

/// A time, or seconds from now.
expected<std::optional<timestamp>> moment(const json::object& options,
                                          std::string_view key) {
  auto x = find(options, key);
  if (x == nullptr)
    return std::optional<timestamp>{};
  if (x->is_string()) {
    auto time = parse_time(std::string_view{x->get_string()});
    if (!time)
      return refused(errc::malformed, time.error().what);
    return std::optional{*time};
  }
  auto seconds = remote::read_seconds(options, key);
  if (!seconds)
    return refused(errc::malformed, seconds.error().what);
  return std::optional{now() + **seconds};
}

} // namespace

expected<outgoing_message> make_elected_task(const json::value& signature,
                                             const std::string& queue,
                                             const node_name& node) {
  static const json::object none;
  auto fields = signature.if_object();
  if (fields == nullptr || text(*fields, "task").empty())
    return refused(errc::malformed, "it is no signature");
  auto kind = text(*fields, "subtask_type");
  if (kind == "group" || kind == "chain" || kind == "chord")
    return refused(errc::unsupported, "a " + kind + " is several tasks");
  auto given = find(*fields, "options");
  auto& options = given && given->is_object() ? given->get_object() : none;
  task_call call;
  call.task = text(*fields, "task");
  call.id = text(options, "task_id");
  if (auto args = find(*fields, "args"); args && args->is_array())
    call.args = args->get_array();
  if (auto kwargs = find(*fields, "kwargs"); kwargs && kwargs->is_object())
    call.kwargs = kwargs->get_object();
  call.embed = {{"callbacks", list_of(options, "link")},
                {"errbacks", list_of(options, "link_error")},
                {"chain", nullptr},
                {"chord", nullptr}};
  for (auto [key, to] : {std::pair{"eta", &call.eta},
                         std::pair{"countdown", &call.eta},
                         std::pair{"expires", &call.expires}}) {
    auto time = moment(options, key);
    if (!time)
      return time.error();
    if (*time)
      *to = **time;
  }
  call.queue = queue;
  for (auto key : {"queue", "routing_key"})
    if (auto name = text(options, key); !name.empty()) {
      call.queue = name;
      break;
    }
  if (auto x = find(options, "priority"); x && x->is_int64())
    call.priority = static_cast<int>(std::clamp<int64_t>(x->get_int64(), 0, 9));
  call.origin = node.str();
  return outgoing_message{queue_name{call.queue}, call.priority,
                          make_task_message(call)};
}

} // namespace umbel
