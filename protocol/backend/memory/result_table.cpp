#include "protocol/backend/memory/result_table.hpp"

#include "protocol/backend/memory/memory_result_listener.hpp"

namespace umbel {

namespace {

constexpr auto for_ever = std::chrono::milliseconds::max();

std::chrono::milliseconds steady_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

} // namespace

std::shared_ptr<result_table> result_table::of(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<result_table>> tables;
  std::lock_guard guard{mutex};
  auto& table = tables[name];
  if (!table)
    table = std::make_shared<result_table>();
  return table;
}

result_table::result_table() : now_(steady_now) {
  // nop
}

void result_table::store(const result_record& x, std::chrono::seconds expires) {
  std::lock_guard guard{mutex_};
  drop_expired();
  auto [i, is_new] = rows_.try_emplace(x.id);
  if (!is_new && is_success(i->second.document))
    return;
  auto deadline = expires.count() > 0 ? now_() + expires : for_ever;
  i->second = row{x.document, deadline};
  if (deadline != for_ever)
    deadlines_.emplace(deadline, x.id);
  std::erase_if(mailboxes_, [&](auto& weak) {
    auto mailbox = weak.lock();
    if (mailbox)
      mailbox->put(x);
    return !mailbox;
  });
}

void result_table::add_mailbox(std::weak_ptr<result_mailbox> x) {
  std::lock_guard guard{mutex_};
  mailboxes_.push_back(std::move(x));
}

std::optional<std::string> result_table::fetch(const task_id& id) {
  std::lock_guard guard{mutex_};
  drop_expired();
  if (auto i = rows_.find(id); i != rows_.end())
    return i->second.document;
  return std::nullopt;
}

void result_table::forget(const task_id& id) {
  std::lock_guard guard{mutex_};
  rows_.erase(id);
}

void result_table::set_clock(clock now) {
  std::lock_guard guard{mutex_};
  now_ = std::move(now);
}

void result_table::drop_expired() {
  auto end = deadlines_.upper_bound(now_());
  for (auto i = deadlines_.begin(); i != end; i = deadlines_.erase(i))
    if (auto j = rows_.find(i->second);
        j != rows_.end() && j->second.deadline == i->first)
      rows_.erase(j);
}

} // namespace umbel
