// Wakes those who wait for something in the database, across processes and
// languages. A bell is an empty file beside the database; to ring is to touch it.
//
//  1. Whoever waits watches the file with inotify, from before it looks into the
//     database: what is committed after that look, and rung, is not missed.
//  2. Whoever has committed something rings: one system call of a microsecond or
//     two, and nothing happens if nobody has ever waited.
//  3. Idle waiters sleep in poll. From a commit to the waking it takes some ten
//     microseconds.
//
// The write-ahead log itself would not do: it is written before a commit can be
// seen, by every commit, of messages as of results, and it comes and goes. It is watched
// besides where peers do not know the bell. It stays as long as the database is open.
#pragma once

#include "protocol/broker/wake_event.hpp"

#include <chrono>
#include <string>

namespace umbel::sqlite {

/// What is waited for: the ending of the bell's name.
enum class topic : uint8_t {
  messages,   ///< "-messages": something may be on a queue
  broadcasts, ///< "-broadcasts": commands, events
  results,    ///< "-results": a state was stored
};

/// "/path/x.db-messages"
std::string bell_path(const std::string& database, topic what);

/// After the commit. Does nothing if nobody waits. A ring that is lost, because
/// its process was killed between the commit and it, costs waiters their timeout.
void ring(const std::string& database, topic what) noexcept;

/// Why a wait has ended.
enum class waking : uint8_t { timeout, rung, written, interrupted };

/// One who waits.
class bell {
public:
  /// Makes the file if it is not there, and watches it from now on.
  /// @returns `unavailable`, or `invalid_setting` if a limit has to be raised
  /// @param log whether to wake when the log is written, too, by whomever
  static expected<bell> open(const std::string& database, topic what,
                             bool log = false);

  bell(bell&& other) noexcept
      : path_(std::move(other.path_)), database_(std::move(other.database_)),
        fd_(std::exchange(other.fd_, -1)), watch_log_(other.watch_log_),
        log_(other.log_) {
  }

  bell& operator=(bell&&) = delete;
  ~bell();

  /// Returns when it was rung since the last call, `timeout` has passed, or
  /// `wake` is signalled (which is cleared). May return without cause.
  expected<waking> wait(wake_event& wake, std::chrono::milliseconds timeout);

private:
  bell(std::string path, std::string database, int fd, bool log)
      : path_(std::move(path)), database_(std::move(database)), fd_(fd),
        watch_log_(log) {
  }

  expected<void> watch();
  expected<waking> read();

  std::string path_;
  std::string database_;
  int fd_; ///< of inotify
  bool watch_log_;
  int log_ = -1; ///< what inotify calls the log
};

} // namespace umbel::sqlite
