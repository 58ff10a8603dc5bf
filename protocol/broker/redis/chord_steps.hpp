// Parts of chords as chord.lua takes them: with the names of keys in place of
// those of groups, tasks and queues.
#pragma once

#include "protocol/backend/workflow.hpp"

#include <functional>
#include <string>
#include <vector>

namespace umbel::redis {

/// What the members of all runs of a part's task have in common.
std::string begin_of_member(const chord_part& x);

struct chord_keys {
  const std::string& results; ///< prefix of tasks' results
  const std::string& groups;  ///< prefix of groups
  /// What a message's places are called: of one that goes through an exchange there
  /// may be several, or none.
  std::function<std::vector<std::string>(const gapped_message&)> places;

  std::string base_of(const chord_part& x) const {
    return groups + x.group;
  }

  std::string key_of(const group_record& x) const {
    return groups + x.group
           + (x.what == group_record::kind::size ? ".s" : "");
  }

  /// The step of settle.lua, and of count.lua, that keeps it.
  static char step_of(const group_record& x) {
    return x.what == group_record::kind::joined ? 'J' : 'V';
  }

  std::string to_json_text(const chord_part& x) const;
};

} // namespace umbel::redis
