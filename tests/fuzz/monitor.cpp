// Events and answers to commands, and what is shown of them.
#include "apps/remote/answer_view.hpp"
#include "apps/remote/event_dump.hpp"
#include "apps/remote/event_view.hpp"
#include "protocol/control/control_reply.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

using namespace umbel;

namespace {

/// Nothing that a terminal would obey.
void check_harmless(std::string_view text) {
  FUZZ_CHECK(std::ranges::none_of(text, [](unsigned char c) {
    return (c < 0x20 && c != '\n') || c == 0x7f;
  }));
}

} // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rules = fuzz::all_content();
  auto text = fuzz::text_of(data, size);
  const timestamp time{std::chrono::seconds{1}};
  if (auto reply = parse_control_reply(text, rules)) {
    std::vector<node_answer> answers;
    for (auto& [node, value] : reply->answers)
      answers.push_back({node, value, {}});
    for (auto form = answer_form::word; form <= answer_form::tree;
         form = static_cast<answer_form>(static_cast<int>(form) + 1))
      check_harmless(show_answers(form, answers, time));
  }
  auto batch = parse_events(text, rules);
  if (!batch)
    return 0;
  event_dump lines;
  cluster_state cluster;
  for (auto& x : batch->events) {
    FUZZ_CHECK(!x.type.empty());
    check_harmless(lines.line(x, time));
    cluster.apply(x, time);
  }
  event_view view;
  for (int key : {int{'i'}, int{'t'}, int{key_down}, int{'l'}, int{key_tab}})
    for (size_t height : {1u, 30u}) {
      view.on_key(key, cluster);
      auto shown = view.lines(cluster, {}, 80, height, time);
      FUZZ_CHECK(shown.size() == height);
      for (auto& line : shown)
        check_harmless(line.text);
    }
  return 0;
}
