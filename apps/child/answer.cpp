#include "apps/child/answer.hpp"

#include "protocol/task/library.hpp"

#include <cerrno>

#include <unistd.h>

namespace umbel {

namespace {

constexpr int answer_fd = 3;

} // namespace

int answer(const json::value& x) {
  auto text = to_json(x) + '\n';
  for (std::string_view rest = text; !rest.empty();) {
    auto n = write(answer_fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return 1;
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

expected<void> load_to_answer(registry& to,
                              std::span<const std::string> libraries) {
  auto last_words = [](const error& x) { answer(error_of(x.what)); };
  for (auto& library : libraries)
    if (auto loaded = load_library(to, library, last_words); !loaded)
      return loaded;
  return {};
}

} // namespace umbel
