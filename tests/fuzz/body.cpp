// A body in each form, protocol 2 and 1: the first byte chooses, the rest is it.
#include "protocol/message/task_message.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rules = fuzz::all_content();
  if (size == 0)
    return 0;
  auto how = static_cast<serializer>(data[0] % 3);
  auto packed = static_cast<compression>(data[0] / 3 % 6);
  envelope x;
  x.body = fuzz::text_of(data + 1, size - 1);
  x.content_type = content_type_of(how);
  x.content_encoding = content_encoding_of(how);
  if (data[0] < 128)
    x.headers = {{"task", "t"}, {"id", "i"}};
  if (packed != compression::none)
    x.headers["compression"] = mime_type_of(packed);
  auto payload = to_text(x);
  auto header = read_task_header(payload, rules);
  auto message = parse_task_message(payload, rules);
  if (!header || !message)
    return 0;
  auto again = parse_task_message(make_retry_message(*message, {}), rules);
  FUZZ_CHECK(again && again->form.serializer == how
             && again->form.compression == packed);
  FUZZ_CHECK(again->args.size() == message->args.size());
  FUZZ_CHECK(again->kwargs.size() == message->kwargs.size());
  return 0;
}
