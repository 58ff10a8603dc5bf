#include "protocol/client/async_result.hpp"

#include "protocol/client/result_values.hpp"

#include <algorithm>
#include <unordered_set>

namespace umbel {

namespace {

// Of one wait: what has ended is told before all have.
using clock = std::chrono::steady_clock;

std::optional<task_result> look(app_core& core, const std::string& id) {
  return value_of(core.results().look(task_id{id}));
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
  return outcome_of(wait(*core_, {&id, 1}, before, how).front(), how.propagate);
}

void async_result::then(std::function<void(const async_result&)> f) const {
  auto& callbacks = core_->callbacks();
  auto homeless = *this; // what waits there must not keep the app
  homeless.core_.reset();
  auto call = [weak = std::weak_ptr{core_}, x = std::move(homeless),
               f = std::move(f)]() mutable {
    x.core_ = weak.lock();
    f(x);
  };
  const task_id id{id_};
  auto number = callbacks.add(id, std::move(call));
  bool ended = false;
  try {
    ended = ignored_ || ready();
  } catch (...) {
    if (callbacks.remove(id, number))
      throw;
    return; // somebody else has had an answer
  }
  if (ended)
    callbacks.tell(id);
}

json::value async_result::get_leaf(get_options how) const {
  return collect(how).back().second;
}

json::value async_result::as_tuple() const {
  return tuple_of(id_, line_, before_, nullptr);
}

std::vector<std::string> async_result::as_list() const {
  std::vector<std::string> to{id_};
  for (auto i = before_; i > 0; --i)
    to.push_back(line_->at(i - 1).id);
  return to;
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

} // namespace umbel
