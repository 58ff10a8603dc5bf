#include "protocol/task/unlock_chord.hpp"

#include "protocol/task/follow_ups.hpp"
#include "protocol/task/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <span>
#include <vector>

namespace umbel {

namespace {

/// Results that are looked up at once. If one of them is not there yet, the
/// others need not be read.
constexpr size_t lookups_at_once = 128;

/// A header within a header within ...
constexpr int depth_max = 32;

exception bad_result() {
  return exception("ValueError", {"chord_unlock: a result tuple is malformed"});
}

/// One result tuple: `[[id, parent], children]`, a task's if it has no children,
/// a group's otherwise. `[id, children]` is an old way to write it.
struct node {
  std::string id;
  std::optional<std::vector<node>> parts;
};

node parse_node(const json::value& x, int depth = 0) {
  auto* tuple = x.if_array();
  if (!tuple || tuple->empty() || depth > depth_max)
    throw bad_result();
  auto* id = &tuple->front();
  if (auto* pair = id->if_array(); pair && !pair->empty())
    id = &pair->front();
  if (!id->is_string())
    throw bad_result();
  node to{id->get_string().c_str(), {}};
  auto* parts = tuple->size() > 1 ? (*tuple)[1].if_array() : nullptr;
  if (!parts)
    return to;
  to.parts.emplace();
  for (auto& part : *parts)
    to.parts->push_back(parse_node(part, depth + 1));
  return to;
}

void find_tasks(std::vector<task_id>& to, const node& x) {
  if (!x.parts)
    to.emplace_back(x.id);
  else
    for (auto& part : *x.parts)
      find_tasks(to, part);
}

std::string_view status_of(const json::value& x) {
  auto* document = x.if_object();
  auto* status = document ? document->if_contains("status") : nullptr;
  return status && status->is_string() ? std::string_view{status->get_string()}
                                       : std::string_view{};
}

bool has_ended(const json::value& x) {
  auto status = status_of(x);
  return status == "SUCCESS" || status == "FAILURE" || status == "REVOKED";
}

json::value result_of(const json::value& document) {
  auto* x = document.as_object().if_contains("result");
  return x ? *x : json::value{};
}

/// "ValueError('text')", of an exception's document.
std::string repr_of(const json::value& x) {
  exception_info why;
  auto* document = x.if_object();
  auto* type = document ? document->if_contains("exc_type") : nullptr;
  if (!type || !type->is_string())
    return python_repr(x);
  why.type = type->get_string().c_str();
  if (auto* args = document->if_contains("exc_message"))
    why.args = args->is_array() ? args->get_array() : json::array{*args};
  return why.repr();
}

using documents = std::map<std::string, json::value>;

/// The results as Celery joins them: a group's are a list.
json::value join(const node& x, const documents& found) {
  if (!x.parts)
    return result_of(found.at(x.id));
  json::array to;
  for (auto& part : *x.parts)
    to.push_back(join(part, found));
  return to;
}

/// @returns nothing if one has not ended
std::optional<documents> look_up(context& self,
                                 const std::vector<task_id>& tasks) {
  documents to;
  for (std::span rest{tasks}; !rest.empty();) {
    auto now = rest.first(std::min(rest.size(), lookups_at_once));
    rest = rest.subspan(now.size());
    auto found = self.fetch({now.begin(), now.end()});
    for (size_t i = 0; i < now.size(); ++i) {
      if (!has_ended(found[i]))
        return std::nullopt;
      to[now[i].str()] = std::move(found[i]);
    }
  }
  return to;
}

/// The body will not run.
void fail(context& self, const canvas::signature& body, std::string reason) {
  const exception_info why{"ChordError", {json::value(reason)},
                           "celery.exceptions", {}};
  auto next = after_failed_header(self.message(), body, why, self.settings());
  next.problems.insert(next.problems.begin(), std::move(reason));
  for (auto& problem : next.problems)
    log_error("{}", problem);
  self.started().publish = std::move(next.publish);
  self.steps() = std::move(next.workflow);
  self.started().groups = std::move(self.steps().groups);
}

} // namespace

void unlock_chord(context& self, const std::string&,
                  const json::value& callback, std::optional<double> interval,
                  std::optional<int> max_retries, const json::array& result,
                  kwargs) {
  auto body = canvas::parse_signature(callback);
  if (!body)
    throw exception("ValueError", {json::string{body.error().what}});
  node header{{}, std::vector<node>{}};
  for (auto& x : result)
    header.parts->push_back(parse_node(x));
  std::vector<task_id> tasks;
  find_tasks(tasks, header);
  retry_options again;
  again.countdown = std::chrono::duration<double>{
      interval.value_or(self.settings().result_chord_retry_interval)};
  again.max_retries = max_retries;
  auto found = look_up(self, tasks);
  if (!found)
    self.retry(again);
  for (auto& task : tasks) {
    auto& document = found->at(task.str());
    if (status_of(document) != "SUCCESS")
      return fail(self, *body, fmt::format("Dependency {} raised {}", task.str(),
                                           repr_of(result_of(document))));
  }
  try {
    self.start(*body, {join(header, *found)});
  } catch (const exception& x) {
    if (x.type() != "QueueNotFound")
      throw;
    fail(self, *body, "The chord's body cannot be sent: " + std::string{x.what()});
  }
}

} // namespace umbel
