// What the writer has the publisher do.
#include "actors/consumer/writer.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <utility>

namespace umbel {

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
}

/// Those of which nothing is with the publisher.
/// @param batches ascending
void writer_state::confirm(std::span<const uint64_t> batches) {
  if (batches.empty())
    return;
  if (elsewhere.empty())
    return self->send(consumer, confirmed{batches.back()});
  auto waits = [this](uint64_t number) {
    return std::ranges::any_of(elsewhere, [=](auto& x) {
      return std::ranges::binary_search(x.batches, number);
    });
  };
  uint64_t last = 0;
  for (auto number : batches)
    if (std::exchange(last, number) != number && !waits(number))
      self->send(consumer, confirmed{number, number});
}

} // namespace umbel
