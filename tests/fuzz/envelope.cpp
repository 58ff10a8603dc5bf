// A message as it comes from a broker, body and all.
#include "protocol/message/task_message.hpp"
#include "protocol/message/waiting_client.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rules = fuzz::all_content();
  auto payload = fuzz::text_of(data, size);
  auto header = read_task_header(payload, rules);
  auto message = parse_task_message(payload, rules);
  read_header_text(payload, "task");
  auto waits = read_waiting_client(payload, rules);
  FUZZ_CHECK(!header || waits.id == header->id);
  if (auto marked = mark_redelivered(payload)) {
    auto again = parse_envelope(*marked);
    FUZZ_CHECK(!parse_envelope(payload) || again);
  }
  if (header && message) {
    FUZZ_CHECK(header->id == message->header.id);
    // What runs can be retried.
    auto again = parse_task_message(make_retry_message(*message, {}), rules);
    FUZZ_CHECK(again && again->header.id == message->header.id);
    FUZZ_CHECK(again->args.size() == message->args.size());
  }
  return 0;
}
