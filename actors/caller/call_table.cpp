#include "actors/caller/call_table.hpp"

#include <caf/all.hpp>

namespace umbel {

// -- for those who call ---------------------------------------------------------

uint64_t call_table::call(task_id id, outgoing_message message, handler f) {
  std::lock_guard guard{mutex_};
  auto number = ++last_number_;
  numbers_.emplace(number, id);
  entries_.emplace(std::move(id),
                   entry{number, std::move(message), std::move(f)});
  wake();
  return number;
}

void call_table::forget(uint64_t number) {
  std::lock_guard guard{mutex_};
  auto i = numbers_.find(number);
  if (i == numbers_.end())
    return;
  auto call = entries_.find(i->second);
  if (call->second.published) {
    forgotten_.push_back(i->second);
    entries_.erase(call);
  } else {
    call->second.f = nullptr; // it was called: it shall run
  }
  numbers_.erase(i);
  wake();
}

void call_table::ask(question x, answer_handler f) {
  std::lock_guard guard{mutex_};
  questions_.emplace(++last_number_, std::pair{std::move(x), std::move(f)});
  wake();
}

/// Once for all that is new in a round.
void call_table::wake() {
  if (std::exchange(woken_, true))
    return;
  if (caller_)
    caf::anon_send(caller_, calls_changed{});
  if (listener_)
    listener_->interrupt();
}

// -- for the caller -------------------------------------------------------------

void call_table::attach(caf::actor caller) {
  std::lock_guard guard{mutex_};
  caller_ = std::move(caller);
}

void call_table::attach(result_listener* listener) {
  std::lock_guard guard{mutex_};
  listener_ = listener;
}

std::vector<call_table::unsent> call_table::to_publish() const {
  std::lock_guard guard{mutex_};
  std::vector<unsent> result;
  for (auto& [id, x] : entries_)
    if (!x.published)
      result.push_back({id, x.message});
  return result;
}

void call_table::published(const std::vector<unsent>& calls) {
  std::lock_guard guard{mutex_};
  for (auto& x : calls) {
    auto i = entries_.find(x.id);
    if (!i->second.f) {
      forgotten_.push_back(x.id);
      entries_.erase(i);
      continue;
    }
    i->second.published = true;
    i->second.message = {};
  }
}

std::vector<task_id> call_table::waiting() const {
  std::lock_guard guard{mutex_};
  std::vector<task_id> result;
  for (auto& [id, x] : entries_)
    if (x.published)
      result.push_back(id);
  return result;
}

std::vector<task_id> call_table::take_forgotten() {
  std::lock_guard guard{mutex_};
  return std::exchange(forgotten_, {});
}

bool call_table::begin_round() {
  std::lock_guard guard{mutex_};
  woken_ = false;
  return !entries_.empty() || !forgotten_.empty() || !questions_.empty();
}

bool call_table::empty() const {
  std::lock_guard guard{mutex_};
  return entries_.empty();
}

bool call_table::idle() const {
  std::lock_guard guard{mutex_};
  return entries_.empty() && forgotten_.empty();
}

void call_table::finish(const task_id& id, expected<std::string> document) {
  handler f;
  {
    std::lock_guard guard{mutex_};
    auto i = entries_.find(id);
    if (i == entries_.end())
      return;
    f = std::move(i->second.f);
    numbers_.erase(i->second.number);
    entries_.erase(i);
    forgotten_.push_back(id);
  }
  if (f)
    f(std::move(document));
}

std::vector<call_table::unanswered> call_table::questions() const {
  std::lock_guard guard{mutex_};
  std::vector<unanswered> result;
  for (auto& [number, x] : questions_)
    result.push_back({number, x.first});
  return result;
}

void call_table::answer(uint64_t number,
                        expected<std::vector<std::string>> texts) {
  answer_handler f;
  {
    std::lock_guard guard{mutex_};
    if (auto node = questions_.extract(number))
      f = std::move(node.mapped().second);
  }
  if (f)
    f(std::move(texts));
}

void call_table::fail_all(const error& why) {
  std::vector<task_id> ids;
  {
    std::lock_guard guard{mutex_};
    for (auto& [id, x] : entries_)
      ids.push_back(id);
  }
  for (auto& id : ids)
    finish(id, why);
}

} // namespace umbel
