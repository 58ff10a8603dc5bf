// Results of several tasks, and of groups.
#include "protocol/client/result_values.hpp"
#include "protocol/task/remote_exception.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace umbel {

namespace {

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
/// @throws umbel::exception ValueError if they are others
json::array nested(const canvas::result_node& node,
                   std::span<json::value>& left) {
  json::array to;
  for (auto& x : node.members) {
    if (x.is_group)
      to.push_back(nested(x, left));
    else if (left.empty())
      throw exception("ValueError", {"results of the group were taken away"});
    else {
      to.push_back(std::move(left.front()));
      left = left.subspan(1);
    }
  }
  return to;
}

} // namespace

// -- result_set ---------------------------------------------------------------------

result_set::result_set(std::vector<async_result> results) {
  update(results);
}

void result_set::add(const async_result& x) {
  if (std::ranges::find(results_, x) == results_.end())
    results_.push_back(x);
}

void result_set::update(const std::vector<async_result>& all) {
  for (auto& x : all)
    add(x);
}

void result_set::remove(const async_result& x) {
  if (std::erase(results_, x) == 0)
    throw exception("KeyError", {json::value(x.id())});
}

void result_set::discard(const async_result& x) {
  std::erase(results_, x);
}

size_t result_set::completed_count() const {
  return static_cast<size_t>(std::ranges::count_if(
      results_, [](auto& x) { return x.successful(); }));
}

bool result_set::ready() const {
  return std::ranges::all_of(results_, &async_result::ready);
}

bool result_set::successful() const {
  return std::ranges::all_of(results_, &async_result::successful);
}

bool result_set::failed() const {
  return std::ranges::any_of(results_, &async_result::failed);
}

void result_set::maybe_throw() const {
  for (auto& x : results_)
    x.maybe_throw();
}

std::vector<json::value>
result_set::wait_for_all(std::vector<task_id> before,
                         const get_options& how) const {
  std::vector<task_id> ids;
  for (auto& x : results_) {
    if (x.ignored())
      continue;
    ids.emplace_back(x.id());
    x.add_ancestors(before);
  }
  std::vector<json::value> values(results_.size());
  if (ids.empty())
    return values;
  auto ends = wait(*results_.front().core_, ids, before, how);
  auto end = ends.begin();
  for (size_t i = 0; i < results_.size(); ++i)
    if (!results_[i].ignored())
      values[i] = outcome_of(*end++, how.propagate);
  return values;
}

std::vector<json::value> result_set::get(get_options how) const {
  return wait_for_all({}, how);
}

void result_set::for_each_as_completed(
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
  if (ids.empty())
    return;
  auto& core = *results_.front().core_;
  auto all = value_of(core.results().each(
      ids, how.timeout, [&](size_t i, const task_result& x) {
        core.callbacks().tell(ids[i]);
        f(places[i], outcome_of(x, how.propagate));
      }, how.interval));
  if (!all)
    throw no_result({errc::timeout, "The operation timed out."});
}

void result_set::forget() const {
  for (auto& x : results_)
    x.forget();
}

void result_set::revoke(const revoke_options& how) const {
  if (results_.empty())
    return;
  std::vector<std::string> ids;
  for (auto& x : results_)
    ids.push_back(x.id());
  results_.front().core_->revoke(ids, how);
}

// -- group_result -------------------------------------------------------------------

group_result::group_result(std::shared_ptr<app_core> core,
                           canvas::result_node node, lineage line,
                           size_t before)
    : core_(std::move(core)), node_(std::move(node)), line_(std::move(line)),
      before_(before) {
  add_results(results_, core_, node_);
}

std::vector<json::value> group_result::get(get_options how) const {
  std::vector<task_id> before;
  for (size_t i = 0; i < before_; ++i)
    if (!line_->at(i).is_group)
      before.emplace_back(line_->at(i).id);
  auto values = wait_for_all(std::move(before), how);
  std::span<json::value> left{values};
  auto to = nested(node_, left);
  return {to.begin(), to.end()};
}

std::optional<any_result> group_result::parent() const {
  return parent_of(core_, line_, before_);
}

json::value group_result::as_tuple() const {
  return tuple_of(node_.id, line_, before_,
                  canvas::to_json_value(node_).as_array()[1]);
}

void group_result::save() const {
  const group_record record{
      node_.id, group_record::kind::results,
      serialize(core_->options().result_serializer,
                json::object{{"result", canvas::to_json_value(node_)}})};
  value_of(core_->results().keep({&record, 1}));
}

void group_result::erase() const {
  value_of(core_->results().forget_group(node_.id));
}

} // namespace umbel
