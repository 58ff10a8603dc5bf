// Events of workers, what follows from them, and answers to commands.
#include "protocol/control/control_reply.hpp"
#include "protocol/control/elected_task.hpp"
#include "protocol/control/elections.hpp"
#include "protocol/control/membership.hpp"
#include "protocol/control/worker_event.hpp"
#include "protocol/message/task_message.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rules = fuzz::all_content();
  auto text = fuzz::text_of(data, size);
  [[maybe_unused]] auto reply = parse_control_reply(text, rules);
  auto x = parse_envelope(text);
  if (!x)
    return 0;
  auto event = parse_worker_event(*x, rules);
  if (!event || event->what == worker_event::kind::other)
    return 0;
  FUZZ_CHECK(!event->hostname.empty());
  membership members;
  members.hear(*event, {});
  FUZZ_CHECK(members.size() <= 1);
  if (event->what != worker_event::kind::elect)
    return 0;
  elections votes;
  votes.begin(event->id, {});
  votes.on_elect(*event, {});
  FUZZ_CHECK(votes.on_ack(*event, 0).has_value());
  canvas::application sent;
  if (!apply_elected(sent, event->action, {}))
    return 0;
  for (auto& message : sent.publish)
    FUZZ_CHECK(read_task_header(message.payload, rules));
  return 0;
}
