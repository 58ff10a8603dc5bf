// The file in which a beat remembers when each entry was due last (-s): SQLite.
//
// One process uses it at a time; the lock goes with the process. A commit returns
// when the disk has it, so what was saved survives kill -9 and a power cut. A file
// that cannot be used is an error, and is left as it is.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/time.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace umbel {

/// What is remembered of an entry.
struct beat_record {
  timestamp last_run_at;
  int64_t total_run_count = 0;
};

class beat_db {
public:
  using records = std::map<std::string, beat_record>;

  /// Opens the file, or makes it.
  /// @returns `invalid_setting` with path and reason
  static expected<std::unique_ptr<beat_db>> open(const std::string& path);

  beat_db(const beat_db&) = delete;
  beat_db& operator=(const beat_db&) = delete;
  ~beat_db();

  /// By the name of the entry.
  expected<records> load();

  /// Adds or replaces, all of them or none.
  /// @returns `unavailable` if the disk is full or gone
  expected<void> save(const records& xs);

  /// Forgets the entries that are not among `xs`.
  expected<void> keep(const records& xs);

private:
  struct implementation;

  explicit beat_db(std::unique_ptr<implementation> x);

  std::unique_ptr<implementation> impl_;
};

} // namespace umbel
