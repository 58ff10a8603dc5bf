// Results in the file of an embedded broker: what its settlements and its result
// store do with the table `result`, in transactions of theirs.
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/broker/sqlite/database.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace umbel::sqlite {

class result_rows {
public:
  /// @param expires lifetime of what is stored, 0 for ever
  result_rows(database& db, std::chrono::seconds expires)
      : db_(&db), expires_(expires) {
  }

  /// Writes one record, unless the stored one is a SUCCESS. Sweeps two that have
  /// expired: they cannot pile up.
  void store(const result_record& x);

  std::optional<std::string> fetch(const task_id& id);

  void forget(const task_id& id);

  /// Deletes up to so many that have expired.
  void sweep(size_t max);

private:
  database* db_;
  std::chrono::seconds expires_;
};

} // namespace umbel::sqlite
