// What a running task wants to know of the result store, by whoever is connected to
// it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace umbel {

enum class question_kind : uint8_t {
  stored = 1, ///< ids: the documents of these tasks, empty where there is none
};

struct question {
  question_kind kind = question_kind::stored;
  std::vector<std::string> words;
};

} // namespace umbel
