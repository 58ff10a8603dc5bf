// Where an embedded broker is: sqlite:///absolute/path, sqlite://relative/path.
//
// What follows "sqlite://" is the path; a path that begins with four slashes, as
// SQLAlchemy writes absolute ones, means the same file. kombu's own files are spelled
// as SQLAlchemy has it: sqla+sqlite:////absolute/path, sqla+sqlite:///relative/path.
// Options:
//   synchronous  normal (the default): what is committed survives the death of
//                any process; a power failure may undo the last commits.
//                full: it survives that, too. Every commit waits for the disk.
//   timeout      seconds to wait for others who write (5)
#pragma once

#include "protocol/broker/url.hpp"

#include <chrono>
#include <string>

namespace umbel::sqlite {

struct address {
  std::string path; ///< absolute
  bool kombu = false; ///< its queues are the tables of kombu's SQLAlchemy transport
  bool full_sync = false;
  std::chrono::milliseconds timeout{5'000};

  /// "sqlite:///path" or "sqla+sqlite:////path", for logs
  std::string str() const;

  /// Whether both are one file, whatever they call it.
  bool same_file(const address& other) const;
};

/// Resolves a relative path in the working directory of now.
/// @returns `invalid_setting` for a URL that cannot be meant
expected<address> to_address(const url& x);

/// "sqlite", or one of kombu's.
bool is_sqlite(std::string_view scheme);

/// "sqla+sqlite" or "sqlalchemy+sqlite"
bool is_kombu(std::string_view scheme);

} // namespace umbel::sqlite
