#include "protocol/client/async_result.hpp"

#include "protocol/client/app_core.hpp"
#include "protocol/task/remote_exception.hpp"

#include <algorithm>
#include <unordered_set>

namespace umbel {

namespace {

// Of one wait: what has ended is told before all have.
using clock = std::chrono::steady_clock;

std::optional<task_result> look(app_core& core, const std::string& id) {
  return value_of(core.results().look(task_id{id}));
}

json::value outcome_of(const task_result& x, bool propagate) {
  if (propagate && !x.succeeded())
    throw remote_exception(&x.result);
  return x.result;
}

std::vector<task_result>
wait_for_results(app_core& core, std::span<const task_id> ids,
                 std::span<const task_id> before, const get_options& how) {
  auto ends = value_of(core.results().wait(ids, before, how.timeout, how.interval));
  if (!ends)
    throw no_result({errc::timeout, "The operation timed out."});
  if (ends->failed_before) {
    if (how.propagate)
      outcome_of(*ends->failed_before, true);
    ends->results.assign(ids.size(), *ends->failed_before);
  }
  return std::move(ends->results);
}

/// The ids of a result tuple's tasks, as they come from a document.
void add_ids(std::vector<std::string>& to, const json::value& tuple,
             size_t depth = 0) {
  auto* parts = tuple.if_array();
  if (!parts || parts->empty() || depth > canvas::depth_max)
    return;
  auto* members = parts->size() == 2 ? parts->at(1).if_array() : nullptr;
  if (members) {
    for (auto& member : *members)
      add_ids(to, member, depth + 1);
    return;
  }
  auto* id = parts->at(0).if_array();
  if (id && !id->empty() && id->at(0).is_string())
    to.emplace_back(id->at(0).get_string());
}

std::optional<any_result> parent_of(const std::shared_ptr<app_core>& core,
                                    const lineage& line, size_t before) {
  if (!line || before == 0)
    return std::nullopt;
  auto& node = line->at(before - 1);
  if (node.is_group)
    return group_result{core, node, line, before - 1};
  return async_result{core, node.id, line, before - 1, node.ignored};
}

void add_results(std::vector<async_result>& to,
                 const std::shared_ptr<app_core>& core,
                 const canvas::result_node& node) {
  for (auto& x : node.members) {
    if (x.is_group) {
      add_results(to, core, x);
      continue;
    }
    auto line = x.before.empty()
                    ? lineage{}
                    : std::make_shared<const std::vector<canvas::result_node>>(
                          x.before);
    to.emplace_back(core, x.id, line, x.before.size(), x.ignored);
  }
}

/// The values of a node's members, of groups as lists.
json::array nested(const canvas::result_node& node,
                   std::vector<json::value>::iterator& next) {
  json::array to;
  for (auto& x : node.members) {
    if (x.is_group)
      to.push_back(nested(x, next));
    else
      to.push_back(std::move(*next++));
  }
  return to;
}

} // namespace

// -- async_result -------------------------------------------------------------------

std::string async_result::state() const {
  auto x = look(*core_, id_);
  return x ? x->status : "PENDING";
}

json::value async_result::info() const {
  auto x = look(*core_, id_);
  return x ? std::move(x->result) : json::value{};
}

bool async_result::ready() const {
  auto x = look(*core_, id_);
  return x && x->ended();
}

bool async_result::successful() const {
  return state() == "SUCCESS";
}

bool async_result::failed() const {
  return state() == "FAILURE";
}

std::string async_result::traceback() const {
  auto x = look(*core_, id_);
  return x ? x->traceback : std::string{};
}

void async_result::maybe_throw() const {
  if (auto x = look(*core_, id_); x && x->ended())
    outcome_of(*x, true);
}

/// Of those whose failure would be its own. A chord whose header fails has an
/// error of its own.
void async_result::add_ancestors(std::vector<task_id>& to) const {
  for (size_t i = 0; i < before_; ++i)
    if (!line_->at(i).is_group)
      to.emplace_back(line_->at(i).id);
}

json::value async_result::get(get_options how) const {
  if (ignored_)
    return nullptr;
  task_id id{id_};
  std::vector<task_id> before;
  add_ancestors(before);
  return outcome_of(wait_for_results(*core_, {&id, 1}, before, how).front(), how.propagate);
}

std::optional<task_result> async_result::meta() const {
  return look(*core_, id_);
}

void async_result::forget() const {
  value_of(core_->results().forget(task_id{id_}));
}

void async_result::revoke(const revoke_options& how) const {
  core_->revoke({&id_, 1}, how);
}

std::optional<any_result> async_result::parent() const {
  return parent_of(core_, line_, before_);
}

std::vector<async_result> async_result::children() const {
  std::vector<std::string> ids;
  if (auto x = look(*core_, id_))
    for (auto& child : x->children)
      add_ids(ids, child);
  std::vector<async_result> to;
  for (auto& id : ids)
    to.emplace_back(core_, std::move(id));
  return to;
}

std::vector<std::pair<std::string, std::string>> async_result::graph() const {
  std::vector<std::pair<std::string, std::string>> edges;
  std::vector<async_result> left{*this};
  std::unordered_set<std::string> seen{id_};
  for (size_t i = 0; i < left.size(); ++i)
    for (auto& child : async_result{left[i]}.children()) {
      edges.emplace_back(left[i].id_, child.id_);
      // A retry is its own child.
      if (seen.insert(child.id_).second)
        left.push_back(std::move(child));
    }
  return edges;
}

std::vector<std::pair<async_result, json::value>>
async_result::collect(get_options how) const {
  auto end = how.timeout ? clock::now() + *how.timeout : clock::time_point::max();
  std::vector<std::pair<async_result, json::value>> to;
  std::vector<async_result> left{*this};
  std::unordered_set<std::string> seen{id_};
  for (size_t i = 0; i < left.size(); ++i) {
    auto one = left[i];
    if (how.timeout)
      how.timeout = std::max(
          get_options::duration{0},
          std::chrono::ceil<get_options::duration>(end - clock::now()));
    to.emplace_back(one, one.get(how));
    for (auto& child : one.children())
      if (seen.insert(child.id_).second)
        left.push_back(std::move(child));
  }
  return to;
}

// -- group_result -------------------------------------------------------------------

group_result::group_result(std::shared_ptr<app_core> core,
                           canvas::result_node node, lineage line,
                           size_t before)
    : core_(std::move(core)), node_(std::move(node)), line_(std::move(line)),
      before_(before) {
  add_results(results_, core_, node_);
}

size_t group_result::completed_count() const {
  return static_cast<size_t>(std::ranges::count_if(
      results_, [](auto& x) { return x.successful(); }));
}

bool group_result::ready() const {
  return std::ranges::all_of(results_, &async_result::ready);
}

bool group_result::successful() const {
  return std::ranges::all_of(results_, &async_result::successful);
}

bool group_result::failed() const {
  return std::ranges::any_of(results_, &async_result::failed);
}

void group_result::maybe_throw() const {
  for (auto& x : results_)
    x.maybe_throw();
}

std::vector<json::value> group_result::get(get_options how) const {
  std::vector<task_id> ids;
  std::vector<task_id> before;
  for (size_t i = 0; i < before_; ++i)
    if (!line_->at(i).is_group)
      before.emplace_back(line_->at(i).id);
  for (auto& x : results_) {
    if (x.ignored())
      continue;
    ids.emplace_back(x.id());
    x.add_ancestors(before);
  }
  std::vector<json::value> values;
  auto ends = wait_for_results(*core_, ids, before, how);
  auto end = ends.begin();
  for (auto& x : results_)
    values.push_back(x.ignored() ? json::value{}
                                 : outcome_of(*end++, how.propagate));
  auto next = values.begin();
  auto to = nested(node_, next);
  return {to.begin(), to.end()};
}

void group_result::for_each_as_completed(
    const std::function<void(size_t, const json::value&)>& f,
    get_options how) const {
  std::vector<task_id> ids;
  std::vector<size_t> places;
  for (size_t i = 0; i < results_.size(); ++i) {
    if (results_[i].ignored()) {
      f(i, nullptr);
      continue;
    }
    ids.emplace_back(results_[i].id());
    places.push_back(i);
  }
  auto all = value_of(core_->results().each(
      ids, how.timeout, [&](size_t i, const task_result& x) {
        f(places[i], outcome_of(x, how.propagate));
      }, how.interval));
  if (!all)
    throw no_result({errc::timeout, "The operation timed out."});
}

std::optional<any_result> group_result::parent() const {
  return parent_of(core_, line_, before_);
}

void group_result::save() const {
  const group_record record{
      node_.id, group_record::kind::results,
      to_json(json::object{{"result", canvas::to_json_value(node_)}})};
  value_of(core_->results().keep({&record, 1}));
}

void group_result::erase() const {
  value_of(core_->results().forget_group(node_.id));
}

void group_result::forget() const {
  for (auto& x : results_)
    x.forget();
}

void group_result::revoke(const revoke_options& how) const {
  std::vector<std::string> ids;
  for (auto& x : results_)
    ids.push_back(x.id());
  core_->revoke(ids, how);
}

} // namespace umbel
