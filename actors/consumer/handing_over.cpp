// What the writer has the publisher do, and what waits for it.
#include "actors/consumer/writer.hpp"

#include "protocol/broker/publishes.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace umbel {

/// Whether what followed from a part took effect is known when the publisher has
/// answered: a duplicate of it is settled afterwards. If the one that was handed over was
/// lost, the body goes with the duplicate.
/// @param batches which of the consumer's each is of
void writer_state::hold_back(std::vector<settlement>& batch,
                             std::vector<uint64_t>& batches) {
  std::set<std::pair<std::string, std::string>> on_their_way;
  for (auto& handed : elsewhere)
    for (auto& x : handed.ended)
      on_their_way.emplace(x.part.group, x.part.task.str());
  if (on_their_way.empty())
    return;
  size_t kept = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    auto waits = std::ranges::any_of(batch[i].workflow.parts, [&](auto& x) {
      return on_their_way.contains({x.group, x.task.str()});
    });
    if (waits) {
      pending.put_back(std::move(batch[i]), batches[i]);
      continue;
    }
    if (kept != i)
      batch[kept] = std::move(batch[i]);
    batches[kept++] = batches[i];
  }
  batch.resize(kept);
  batches.resize(kept);
}

/// Takes out of the batch what publishes something.
/// @param batches which of the consumer's each is of; empty: none of its
void writer_state::hand_over(std::vector<settlement>& batch,
                             std::vector<last_part>& ended,
                             std::span<const uint64_t> batches) {
  if (std::ranges::none_of(batch, publishes))
    return;
  handed_over rest;
  std::vector<settlement> theirs;
  std::vector<settlement> mine;
  std::vector<size_t> place(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    auto leaves = publishes(batch[i]);
    if (leaves && i < batches.size()
        && (rest.batches.empty() || rest.batches.back() != batches[i]))
      rest.batches.push_back(batches[i]);
    auto& to = leaves ? theirs : mine;
    place[i] = to.size();
    to.push_back(std::move(batch[i]));
  }
  batch = std::move(mine);
  rest.settlements
    = std::make_shared<const std::vector<settlement>>(std::move(theirs));
  for (auto& x : ended) // from each of them something follows
    x.settlement = place[x.settlement];
  rest.ended = std::exchange(ended, {});
  self->send(outbound, settle_elsewhere{rest.settlements});
  elsewhere.push_back(std::move(rest));
}

void writer_state::on_settled_elsewhere(const settled_elsewhere& x) {
  auto done = std::move(elsewhere.front());
  elsewhere.pop_front();
  if (connection && finish_chords(done.ended, *done.settlements, x.effects))
    confirm(done.batches);
  if (connection && pending.size() > 0)
    flush_soon();
}

/// Those of which nothing is with the publisher, or waits for it.
/// @param batches ascending
void writer_state::confirm(std::span<const uint64_t> batches) {
  if (batches.empty())
    return;
  if (elsewhere.empty() && pending.size() == 0)
    return self->send(consumer, confirmed{batches.back()});
  auto waits = [this](uint64_t number) {
    return std::ranges::binary_search(pending.batches(), number)
           || std::ranges::any_of(elsewhere, [=](auto& x) {
      return std::ranges::binary_search(x.batches, number);
    });
  };
  uint64_t last = 0;
  for (auto number : batches)
    if (std::exchange(last, number) != number && !waits(number))
      self->send(consumer, confirmed{number, number});
}

} // namespace umbel
