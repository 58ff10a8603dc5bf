// One connection to a Redis server: hiredis's reply parser over a socket of our
// own.
//
// It logs in, selects the database and loads the scripts when it opens. It
// never reconnects: after an `unavailable` or `timeout` error it is finished,
// and every later call says so. Used by one thread at a time.
#pragma once

#include "protocol/broker/redis/address.hpp"
#include "protocol/broker/redis/pipeline.hpp"
#include "protocol/error.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/hiredis.h>

namespace umbel::redis {

struct reply_deleter {
  void operator()(redisReply* x) const noexcept;
};

/// An owned reply; what it refers to lives as long as it does.
using reply = std::unique_ptr<redisReply, reply_deleter>;

/// The text of a string, status or error reply; empty for others.
std::string_view text_of(const redisReply& x);

bool is_error(const redisReply& x);

/// The elements of an array reply; none for others.
std::span<redisReply* const> elements_of(const redisReply& x);

/// A Lua script that the build embedded.
struct script {
  std::string_view name; ///< file name, for errors
  std::string_view text;
  std::string_view sha; ///< what EVALSHA calls it
};

struct connection_options {
  std::chrono::milliseconds connect_timeout{4'000};
  std::chrono::milliseconds socket_timeout{120'000};
  std::string client_name = "umbel";  ///< shown by CLIENT LIST
  std::vector<const script*> scripts; ///< loaded at once
  int version_min = 602; ///< 100 * major + minor of the oldest usable server
};

class connection {
public:
  // -- constructors, destructors ----------------------------------------------

  /// Connects, logs in, and loads the scripts, in one round trip.
  /// @returns `unavailable`, `timeout`, `refused` (wrong password, unknown
  /// database, still loading) or `unsupported` (server too old).
  static expected<std::unique_ptr<connection>>
  open(const address& where, const connection_options& options);

  /// The same for a URL; `invalid_setting` if it is none.
  static expected<std::unique_ptr<connection>>
  open(const std::string& url, const connection_options& options);

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  // -- commands ---------------------------------------------------------------

  /// Sends all commands, then reads all replies. A script that the server has
  /// forgotten is loaded again and its command repeated. Error replies are
  /// among the replies. `doing` completes "cannot ...": "reserve messages".
  expected<std::vector<reply>> run(pipeline commands, const char* doing);

  /// The same, where any error reply makes the whole a `refused` error.
  expected<std::vector<reply>> check(pipeline commands, const char* doing);

  /// One command whose error reply is a `refused` error.
  expected<reply> command(std::initializer_list<std::string_view> words,
                          const char* doing);

  /// A `refused` error from an error reply.
  error refusal(const redisReply& answer, const char* doing) const;

  // -- messages that nobody asked for, and raw steps --------------------------

  expected<void> send(std::string_view bytes, const char* doing);

  /// Sends what the socket takes at once. @returns how many bytes that was.
  expected<size_t> send_now(std::string_view bytes, const char* doing);

  /// The next reply, waiting for the socket timeout.
  expected<reply> receive(const char* doing);

  /// The next reply if it is there already; null if not.
  expected<reply> receive_now(const char* doing);

  // -- properties -------------------------------------------------------------

  int fd() const noexcept {
    return fd_;
  }

  const address& where() const noexcept {
    return where_;
  }

  /// That it loads.
  const std::vector<const script*>& scripts() const noexcept {
    return options_.scripts;
  }

  void timeout(std::chrono::milliseconds x);

  /// Marks the connection as finished. @returns the error to hand on.
  error broken(errc code, const char* doing, std::string_view why);

private:
  connection(address where, const connection_options& options, int fd);

  expected<void> handshake();
  expected<void> load_scripts();

  expected<reply> parsed(const char* doing);

  // Reads once. @returns whether there was something.
  expected<bool> fill(int flags, const char* doing);

  address where_;
  connection_options options_;
  int fd_;
  std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader_;
  std::string lost_; // why the connection is finished; empty while it is not
};

} // namespace umbel::redis
