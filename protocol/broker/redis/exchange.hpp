// Commands on their way to a server, and their replies: one round trip that can
// be waited for, or be carried on whenever the socket is ready (polled.hpp).
#pragma once

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/pipeline.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

class exchange {
public:
  /// @param where must outlive this object.
  /// @param doing completes "cannot ...": "reserve messages".
  exchange(connection& where, pipeline commands, const char* doing);

  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  /// Sends what the socket takes at once.
  expected<void> send();

  enum class progress {
    more,  ///< replies are to come
    again, ///< so they are, to what has to be sent now: a script that the server
           ///< has forgotten, and its command
    done,
  };

  /// Takes the next reply.
  progress take(reply x);

  /// All of it, waiting for no longer than the socket timeout. Nothing else may
  /// be on its way.
  expected<void> finish();

  /// Whether the socket has to take more.
  bool unsent() const noexcept {
    return !unsent_.empty();
  }

  bool done() const noexcept {
    return done_;
  }

  const char* doing() const noexcept {
    return doing_;
  }

  /// Error replies are among them.
  std::vector<reply>& replies() noexcept {
    return replies_;
  }

  /// A `refused` error if there is an error reply.
  expected<void> check() const;

private:
  void repeat_forgotten();

  connection& where_;
  pipeline commands_;
  const char* doing_;
  std::string again_; // what is sent after a script was forgotten
  std::string_view unsent_; // of one of the two above
  std::vector<reply> replies_;
  std::vector<size_t> forgotten_; // commands that found no script
  size_t unwanted_ = 0;           // replies still to come from loading scripts
  size_t repeated_ = 0;           // of `forgotten_`: replies that have come
  bool repeating_ = false;
  bool done_;
};

} // namespace umbel::redis
