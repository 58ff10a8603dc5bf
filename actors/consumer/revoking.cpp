// The part of the consumer that knows what was revoked.
#include "actors/consumer/consumer.hpp"

#include "protocol/message/stamps.hpp"

#include <caf/all.hpp>

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace umbel {

namespace {

/// More are only counted: a line of the log is for people.
constexpr size_t listed_max = 50;

std::string listed(const std::vector<task_id>& ids) {
  std::vector<std::string_view> names;
  for (auto& id : ids)
    if (names.size() < listed_max)
      names.emplace_back(id.str());
  auto result = fmt::format("{}", fmt::join(names, ", "));
  if (ids.size() > listed_max)
    result += fmt::format(" and {} more", ids.size() - listed_max);
  return result;
}

/// What is to be revoked by one command.
class wanted_tasks {
public:
  explicit wanted_tasks(const std::vector<task_id>& ids) {
    for (auto& id : ids) {
      ids_.emplace(id.str(), &id);
      has_stamps_ = has_stamps_ || is_stamp(id);
    }
  }

  /// The id or the stamp for which this task is; null: none of them.
  const task_id* reason(const request& r) const {
    if (auto id = find(r.header.id))
      return id;
    if (has_stamps_)
      for (auto& stamp : read_stamps(*r.payload))
        if (auto id = find(stamp))
          return id;
    return nullptr;
  }

private:
  const task_id* find(const task_id& id) const {
    auto i = ids_.find(id.str());
    return i != ids_.end() ? i->second : nullptr;
  }

  std::unordered_map<std::string_view, const task_id*> ids_;
  bool has_stamps_ = false;
};

} // namespace

// A stamp is one of the ids (protocol/message/stamps.hpp).
bool consumer_state::is_revoked(const request& r) const {
  auto& known = *options.revoked;
  auto is_known = [&](auto& id) { return known.contains(id); };
  return known.size() > 0
         && (is_known(r.header.id)
             || std::ranges::any_of(read_stamps(*r.payload), is_known));
}

settlement consumer_state::refuse_revoked(const request& r,
                                          const std::string& why) {
  spdlog::info("Discarding revoked task: {}", r.display_name());
  tell_revoked(r, why == "expired");
  return settle_revoked(r, why);
}

void consumer_state::on_revoke(const revoke_tasks& x) {
  auto promise = self->make_response_promise();
  tasks_revoked answer;
  answer.ids = x.ids;
  answer.time = options.now();
  wanted_tasks wanted{x.ids};
  std::unordered_set<const task_id*> terminated;
  for (auto& id : x.ids)
    options.revoked->add(id, answer.time);
  withdraw_jobs withdraw;
  withdraw.signal = x.signal;
  for (auto i = requests.begin(); i != requests.end();) {
    auto& [job, r] = *i;
    auto what = wanted.reason(r);
    if (what == nullptr) {
      ++i;
    } else if (r.held || r.waits_for_broker()) {
      num_held -= r.held;
      settlements.add(refuse_revoked(r, "revoked"));
      i = requests.erase(i);
    } else {
      withdraw.jobs.push_back(job);
      if (x.signal) {
        r.terminated = true;
        r.signal = *x.signal;
        if (terminated.insert(what).second)
          answer.terminated.push_back(*what);
        spdlog::info("Terminating {} ({})", r.header.id.str(), *x.signal);
      }
      ++i;
    }
  }
  if (!withdraw.jobs.empty())
    self->send(pool, std::move(withdraw));
  flush();
  grant();
  auto confirm = [promise](tasks_revoked& saved) mutable {
    spdlog::info("Tasks flagged as revoked: {}", listed(saved.ids));
    promise.deliver(std::move(saved));
  };
  auto time = answer.time;
  auto note = [this, answer, confirm]() mutable {
    if (!options.state_keeper)
      return confirm(answer);
    self->request(options.state_keeper, caf::infinite, std::move(answer))
      .then(confirm, [](const caf::error&) {
        // It ends only with the tree, of which this actor is a part.
      });
  };
  if (!writer)
    return note(); // the next one gets all that we know
  keep_revoked kept;
  for (auto& id : x.ids)
    kept.tasks.push_back({id, time});
  self->request(writer, caf::infinite, std::move(kept))
    .then([note](caf::ok_atom) mutable { note(); },
          [note](const caf::error&) mutable { note(); });
}

// The broker's and ours: what each of them knows, the other does from now on.
void consumer_state::merge_revoked(const std::vector<revoked_task>& theirs) {
  std::unordered_set<std::string_view> known;
  for (auto& x : theirs) {
    known.insert(x.id.str());
    if (!options.revoked->contains(x.id))
      options.revoked->add(x.id, x.time);
  }
  keep_revoked ours;
  for (auto& [id, time] : options.revoked->by_age())
    if (!known.contains(id))
      ours.tasks.push_back({task_id{id}, time});
  if (!ours.tasks.empty())
    self->request(writer, caf::infinite, std::move(ours))
      .then([](caf::ok_atom) {},
            [](const caf::error&) {
              // The next writer gets them again.
            });
}

void consumer_state::on_learn(const learn_revoked& x) {
  revoke_tasks unknown;
  for (auto& id : x.ids)
    if (!options.revoked->contains(id))
      unknown.ids.push_back(id);
  // As a message: that one is answered, and the sender of this one asks nothing.
  if (!unknown.ids.empty())
    caf::anon_send(self, std::move(unknown));
}

} // namespace umbel
