#include "protocol/task/log.hpp"

#include "protocol/task/context.hpp"

#include <cstdio>

namespace umbel {

void log_text(uint8_t level, std::string_view text) {
  if (auto* self = context::current())
    self->log(level, text);
  else
    fmt::print(stderr, "{}\n", text);
}

} // namespace umbel
