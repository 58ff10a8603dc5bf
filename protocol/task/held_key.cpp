#include "protocol/task/held_key.hpp"

#include <fmt/format.h>

namespace umbel {

held_key::held_key(const task_message& message, state_sink& sink, uint64_t job,
                   runtime& where)
    : terms_(read_unique_terms(message.headers)),
      // What has begun before is to be finished, whoever has the key by now.
      first_run_(message.header.retries == 0 && !message.header.redelivered),
      sink_(sink), job_(job), where_(where) {
  if (terms_ && terms_->key.empty())
    terms_.reset();
}

std::string held_key::refusal() {
  if (!terms_)
    return {};
  auto holder = where_.ask({question_kind::claim,
                            {terms_->key, terms_->id,
                             std::to_string(terms_->held_for.count())}});
  if (!holder || holder->empty()) {
    constexpr uint8_t warning = 3;
    sink_.log(job_, warning,
              fmt::format("task {} runs although it is not known whether it is "
                          "the only one with its unique key: {}",
                          terms_->id,
                          holder ? "no answer" : holder.error().what));
    return {};
  }
  held_ = holder->front() == terms_->id;
  if (!held_ && first_run_)
    return describe_duplicate(*terms_, holder->front());
  if (terms_->until_start)
    give_back();
  return {};
}

void held_key::ended(outcome_kind how) {
  if (how != outcome_kind::retry && how != outcome_kind::requeue)
    give_back();
}

void held_key::give_back() {
  if (std::exchange(held_, false))
    where_.tell({question_kind::release, {terms_->key, terms_->id}});
}

} // namespace umbel
