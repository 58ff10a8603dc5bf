// Commands of app.control.
#include "protocol/control/stamp_revocation.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rules = fuzz::all_content();
  static const node_name self{"celery@host"};
  auto request = parse_control_request(fuzz::text_of(data, size), rules);
  if (!request)
    return 0;
  request->is_for(self);
  if (auto revoke = parse_revoke_request(*request))
    FUZZ_CHECK(!revoke->ids.empty());
  if (auto revoke = parse_stamp_revocation(request->arguments))
    FUZZ_CHECK(!revoke->stamps.empty()
               && revoke->request.ids.size() == revoke->stamps.size());
  return 0;
}
