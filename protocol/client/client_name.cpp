#include "protocol/client/client_name.hpp"

#include <unistd.h>

namespace umbel {

std::string client_name() {
  char host[256] = "localhost";
  ::gethostname(host, sizeof(host) - 1);
  return "gen" + std::to_string(::getpid()) + '@' + host;
}

} // namespace umbel
