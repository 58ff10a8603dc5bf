// What the writer has its publisher do.
#include "actors/consumer/writer.hpp"

#include <caf/all.hpp>

#include <utility>

namespace umbel {

/// Takes out of the batch what publishes something.
void writer_state::hand_over(std::vector<settlement>& batch,
                             std::vector<last_part>& ended) {
  settle_elsewhere rest;
  std::vector<settlement> mine;
  std::vector<size_t> place(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    auto& to = publishes(batch[i]) ? rest.batch : mine;
    place[i] = to.size();
    to.push_back(std::move(batch[i]));
  }
  batch = std::move(mine);
  if (rest.batch.empty())
    return;
  for (auto& x : ended) // from each of them something follows
    x.settlement = place[x.settlement];
  elsewhere.push_back({done, std::exchange(ended, {})});
  self->send(outbound, std::move(rest));
}

void writer_state::on_settled_elsewhere(const settled_elsewhere& x) {
  auto ended = std::move(elsewhere.front().ended);
  elsewhere.pop_front();
  if (connection && finish_chords(ended, x.effects))
    confirm();
}

/// Up to the first batch of which something is not settled yet.
void writer_state::confirm() {
  auto number = elsewhere.empty() ? done : elsewhere.front().before;
  self->send(consumer, confirmed{number});
}

} // namespace umbel
