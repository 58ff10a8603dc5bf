#include "apps/remote/event_dump.hpp"

#include "apps/remote/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace umbel {

namespace {

double seconds_of(timestamp x) {
  return std::chrono::duration<double>(x.time_since_epoch()).count();
}

/// Python's str(): 2026-11-24 12:53:10.123456
std::string shown_time(timestamp x) {
  auto text = format_time(x);
  text.resize(text.find('+')); // always UTC
  std::ranges::replace(text, 'T', ' ');
  return text;
}

std::string shown_type(std::string_view type) {
  if (type == "worker-offline")
    return "shutdown";
  if (type == "worker-online")
    return "started";
  if (type == "worker-heartbeat")
    return "heartbeat";
  std::string result{type};
  std::ranges::replace(result, '-', ' ');
  return result;
}

/// Python's str(): of a text itself, of all else its repr.
std::string shown(const json::value& x) {
  return x.is_string() ? std::string{std::string_view{x.get_string()}}
                       : python_repr(x);
}

} // namespace

std::string event_dump::line(const event& x, timestamp heard) {
  // Sorted by name.
  std::map<std::string, std::string> fields;
  for (auto& [name, value] : x.fields)
    fields[std::string{name}] = shown(value);
  fields["local_received"] = fmt::format("{}", seconds_of(heard));
  for (auto name : {"timestamp", "type", "hostname"})
    fields.erase(name);
  std::string call;
  auto is_task = x.type.starts_with("task-");
  if (is_task) {
    auto id = fields["uuid"];
    fields.erase("uuid");
    if (x.type == "task-received" || x.type == "task-sent") {
      call = fmt::format("{}({}) args={} kwargs={}", fields["name"], id,
                         fields["args"], fields["kwargs"]);
      for (auto name : {"name", "args", "kwargs"})
        fields.erase(name);
      if (calls_.insert_or_assign(id, call).second)
        order_.push_back(id);
      if (order_.size() > calls_max) {
        calls_.erase(order_.front());
        order_.pop_front();
      }
    } else if (auto found = calls_.find(id); found != calls_.end()) {
      call = found->second;
    }
    call += ' ';
  }
  std::string text;
  for (auto& [name, value] : fields)
    text += (text.empty() ? "" : ", ") + name + '=' + value;
  return one_line(fmt::format("{} [{}] {}: {}{}", x.node.str(),
                              shown_time(x.time), shown_type(x.type), call,
                              text));
}

std::string event_as_json(const event& x, timestamp heard) {
  auto all = x.fields;
  all["local_received"] = seconds_of(heard);
  return to_json(all);
}

} // namespace umbel
