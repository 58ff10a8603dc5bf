#include "protocol/backend/chord_counting.hpp"

#include "protocol/backend/rpc/rpc_result_store.hpp"
#include "protocol/broker/amqp/address.hpp"

namespace umbel {

chord_counting chord_counting_of(const std::string& result_url) {
  auto scheme = result_url.substr(0, result_url.find("://"));
  if (result_url.empty() || scheme == "disabled" || is_rpc(result_url)
      || amqp::is_amqp(scheme))
    return chord_counting::impossible;
  if (scheme == "file" || scheme == "memory")
    return chord_counting::polled;
  return chord_counting::counted;
}

std::string_view name_of(chord_counting x) noexcept {
  switch (x) {
    case chord_counting::counted:
      return "counted";
    case chord_counting::polled:
      return "polled";
    case chord_counting::impossible:
      break;
  }
  return "impossible";
}

chord_counting parse_chord_counting(std::string_view name) noexcept {
  for (auto x : {chord_counting::polled, chord_counting::impossible})
    if (name == name_of(x))
      return x;
  return chord_counting::counted;
}

} // namespace umbel
