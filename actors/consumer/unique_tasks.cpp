// The part of the consumer that sees to unique tasks (protocol/message/uniqueness.hpp):
// before one of them begins, or waits for its time, it takes its key, which whoever
// published it may have taken already. A second one with the key is refused. The key is
// given back in the same step as the task's end is settled, or by its expiry.
#include "actors/consumer/consumer.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace umbel {

/// What its headers say, if the broker can see to it.
std::optional<unique_terms>
consumer_state::unique_terms_of(const std::string& payload) {
  if (!options.keeps_unique_keys && told_of_keys)
    return std::nullopt;
  auto terms = read_unique_terms(payload);
  if (!terms || terms->key.empty()) // it is to be published once, no more
    return std::nullopt;
  if (options.keeps_unique_keys)
    return terms;
  tell_of_keys();
  return std::nullopt;
}

void consumer_state::tell_of_keys() {
  if (!std::exchange(told_of_keys, true))
    spdlog::warn("this broker keeps no keys of unique tasks, as Redis and SQLite do: "
                 "those with a unique_key run like all others");
}

/// @returns whether the task has to wait for the answer
bool consumer_state::ask_for_key(uint64_t id, request& r) {
  if (!r.unique || r.has_key)
    return false;
  r.claiming = true;
  claims.ids.push_back(id);
  claims.claims.push_back({{r.unique->key, r.unique->id}, r.unique->held_for});
  return true;
}

void consumer_state::on_keys(const key_holders& x) {
  std::vector<job> runnable;
  for (size_t n = 0; n < x.ids.size(); ++n) {
    auto i = requests.find(x.ids[n]);
    if (i == requests.end() || !i->second.claiming)
      continue;
    auto& r = i->second;
    r.claiming = false;
    r.has_key = x.holders[n] == r.unique->id;
    // What has begun before is to be finished, whoever has the key by now.
    auto first_run = r.header.retries == 0 && !r.header.redelivered;
    if (!r.has_key && first_run) {
      settlements.add(refuse_duplicate(r, x.holders[n]));
      requests.erase(i);
      continue;
    }
    if (!r.has_key)
      r.unique.reset();
    begin(x.ids[n], r, runnable);
  }
  if (!runnable.empty())
    self->send(pool, run_jobs{std::move(runnable)});
  flush();
  grant();
}

settlement consumer_state::refuse_duplicate(const request& r,
                                            const std::string& holder) {
  auto why = describe_duplicate(*r.unique, holder);
  spdlog::info("Discarding duplicate task: {}: {}", r.display_name(), why);
  ++duplicates;
  tell_revoked(r, false);
  return settle_revoked(r, why);
}

} // namespace umbel
