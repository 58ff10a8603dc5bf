#include "protocol/error.hpp"

namespace umbel {

const char* to_string(errc code) noexcept {
  switch (code) {
    case errc::malformed:
      return "malformed";
    case errc::unavailable:
      return "unavailable";
    case errc::timeout:
      return "timeout";
    case errc::refused:
      return "refused";
    case errc::unsupported:
      return "unsupported";
    case errc::invalid_setting:
      return "invalid setting";
    case errc::not_found:
      return "not found";
    case errc::duplicate:
      return "duplicate";
  }
  return "unknown";
}

std::string to_string(const error& x) {
  return std::string{to_string(x.code)} + ": " + x.what;
}

void throw_exception_from_error(const error& x,
                                const boost::source_location&) {
  throw bad_expected{x};
}

} // namespace umbel
