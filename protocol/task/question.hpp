// What a running task wants to know, or to have done, of the result store or of
// the broker, by whoever is connected to them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace umbel {

enum class question_kind : uint8_t {
  stored = 1, ///< ids: the documents of these tasks, empty where there is none
  claim = 2,  ///< unique key, id, milliseconds: the id of who holds the key
  release = 3, ///< unique key, id: nothing; the key is free if that task held it
};

struct question {
  question_kind kind = question_kind::stored;
  std::vector<std::string> words;
};

} // namespace umbel
