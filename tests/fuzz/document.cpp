// Result documents of any peer: the first byte chooses the serializer.
#include "protocol/backend/document.hpp"
#include "protocol/backend/result_record.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto how = static_cast<serializer>(data[0] % 3);
  auto document = fuzz::text_of(data + 1, size - 1);
  is_success(document);
  auto x = parse_document(how, document);
  if (!x)
    return 0;
  // Written by us, its state is found without reading it.
  meta again;
  again.status = "SUCCESS";
  if (auto result = x->if_contains("result"))
    again.result = *result;
  FUZZ_CHECK(is_success(to_document(again, how)));
  again.status = "FAILURE";
  FUZZ_CHECK(!is_success(to_document(again, how)));
  return 0;
}
