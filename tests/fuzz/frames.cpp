// What a child process says to its parent, and the parent to it.
#include "protocol/child/frames.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

namespace {

template <class Frames>
void write_again(const expected<Frames>& x) {
  if (!x)
    return;
  std::string out;
  std::visit([&](auto& frame) { frame::append(out, frame); }, *x);
  std::string_view bytes = out;
  auto frame = frame::next(bytes);
  FUZZ_CHECK(frame && !frame->empty() && bytes.empty());
}

} // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = fuzz::text_of(data, size);
  for (;;) {
    auto frame = frame::next(bytes);
    if (!frame || frame->empty())
      return 0;
    write_again(frame::decode_from_child(*frame));
    write_again(frame::decode_from_parent(*frame));
  }
}
