// Groups and chords in the file, in a transaction of the caller's: the tables
// `result_group`, `chord` and `chord_part`. The rules are those of chord.lua on Redis.
//
// A part counts once, whatever it returns and however often it runs; what has
// succeeded stays so. When the last one is counted, the body is published in the same
// transaction, and what was kept goes: there is one body.
#pragma once

#include "protocol/backend/workflow.hpp"
#include "protocol/backend/sqlite/result_rows.hpp"
#include "protocol/broker/sqlite/database.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace umbel::sqlite {

class chords {
public:
  /// Where a message goes that follows: it has no gaps.
  using publish_function = std::function<void(gapped_message)>;

  /// @param results gets the results of what will not run
  /// @param expires lifetime of what is kept, 0 for ever
  chords(database& db, result_rows& results, std::chrono::seconds expires)
      : db_(&db), results_(&results), expires_(expires) {
  }

  /// What is known of a group, for its results or as the header of a chord.
  void keep(const group_record& x);

  std::optional<std::string> group(const std::string& id);

  void forget_group(const std::string& id);

  /// Counts a part, and carries out what follows if it is the last one.
  /// @param claimed publishing comes later and elsewhere: all is kept until
  ///        `finish`, and follows again if the same part is counted again; where
  ///        nothing is to be published, it goes at once
  void count(const chord_part& x, bool claimed, const publish_function& publish);

  /// What followed from this part is published: forgets its chord, and those that
  /// its failure may have ended. One that another part has ended, or that has not
  /// ended, is left alone.
  void finish(const chord_part& last);

private:
  void end(const chord_part& last, bool claimed, const publish_function& send);
  void forget(const std::string& group);
  std::optional<int64_t> expiry() const;

  database* db_;
  result_rows* results_;
  std::chrono::seconds expires_;
};

} // namespace umbel::sqlite
