#include "actors/supervision/census.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

using begin_atom = caf::atom_constant<caf::atom("begin")>;

std::string joined(const std::string& x, const std::string& y) {
  return x.empty() || y.empty() ? x + y : x + ", " + y;
}

} // namespace

std::string readable(double seconds) {
  auto whole = static_cast<long>(seconds);
  if (seconds < 60)
    return fmt::format("{:.1f} s", seconds);
  if (whole < 3600)
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

bool all_well(const census_result& x) {
  return std::ranges::all_of(x, [](const census_entry& y) {
    return y.answered || y.blocks || !y.alive;
  });
}

std::string to_string(const census_result& x) {
  std::string result;
  // Which of the levels above have further children to come: they need a line.
  auto has_more = [&](size_t i, size_t depth) {
    for (auto j = i + 1; j < x.size() && x[j].depth >= depth; ++j)
      if (x[j].depth == depth)
        return true;
    return false;
  };
  for (size_t i = 0; i < x.size(); ++i) {
    auto& entry = x[i];
    std::string line;
    for (size_t depth = 1; depth < entry.depth; ++depth)
      line += has_more(i, depth) ? "|  " : "   ";
    if (entry.depth > 0)
      line += has_more(i, entry.depth) ? "|- " : "`- ";
    line += entry.id;
    if (entry.answered)
      line += fmt::format(" (mailbox {})", entry.mailbox);
    auto state = entry.state;
    if (!entry.alive)
      state = joined("not alive", state);
    else if (!entry.answered)
      state = joined("no answer within 1 s", state);
    if (!state.empty())
      line += ": " + state;
    result += line + '\n';
  }
  return result;
}

void census_state::ask(size_t number, const caf::actor& whom) {
  auto& entry = nodes[number].entry;
  entry.alive = static_cast<bool>(whom);
  entry.handle = whom;
  if (!entry.alive)
    return;
  ++open;
  // Ahead of what waits: a long queue is a finding, not a failure.
  self
    ->request<caf::message_priority::high>(whom, patience, describe_atom::value)
    .then([this, number](const description& x) { on_answer(number, x); },
          [this, number](const caf::error& x) { on_failure(number, x); });
}

void census_state::on_answer(size_t number, const description& x) {
  auto& entry = nodes[number].entry;
  entry.answered = true;
  entry.state = joined(entry.state, x.state);
  entry.mailbox = x.mailbox;
  auto depth = entry.depth + 1;
  for (auto& child : x.children) {
    auto next = nodes.size();
    nodes.push_back({{child.id, child.state, 0, depth, false, false,
                      child.blocks, nullptr},
                     {}});
    nodes[number].children.push_back(next);
    ask(next, child.handle);
  }
  on_end_of_request();
}

void census_state::on_failure(size_t number, const caf::error& x) {
  auto& entry = nodes[number].entry;
  if (x == caf::sec::request_receiver_down) {
    entry.alive = false;
  } else if (!(x == caf::sec::request_timeout)) {
    // It lives, and knows no answer.
    entry.answered = true;
    entry.state = joined(entry.state, "says nothing of itself");
  }
  on_end_of_request();
}

void census_state::on_end_of_request() {
  if (--open > 0)
    return;
  census_result result;
  collect(0, result);
  done(std::move(result));
  self->quit();
}

void census_state::collect(size_t number, census_result& result) const {
  result.push_back(nodes[number].entry);
  for (auto child : nodes[number].children)
    collect(child, result);
}

caf::behavior census(caf::stateful_actor<census_state>* self, std::string id,
                     caf::actor top, std::function<void(census_result)> done) {
  auto& st = self->state;
  st.self = self;
  st.done = std::move(done);
  st.nodes.push_back({{std::move(id), {}, 0, 0, false, false, false, nullptr}, {}});
  self->send(self, begin_atom::value);
  return {
      [self, top = std::move(top)](begin_atom) { self->state.ask(0, top); },
  };
}

} // namespace umbel
