// Where a broker in folders keeps everything, and what its file names mean. Beside
// kombu's folders there is one of Umbel's own, <control_folder>/umbel:
//
//   reserved/<owner>/lease                       its time stamp is the lease's end
//   reserved/<owner>/<sequence>.<step>.<name>    a reserved message: the very file
//   delayed/<due, us>.<step>.<name>              waits until it is due
//   dead/<queue>/<number>                        a reason in the first line, then the message
//   once/<tag>                                   follow-ups of this tag are published
//   rates/<limit>                                account of a shared rate limit
//   stage/, journal                              see transaction.hpp
#pragma once

#include "protocol/broker/broker.hpp"

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::filesystem {

struct folders {
  std::string in;        ///< messages to consume
  std::string out;       ///< where messages are published
  std::string control;   ///< kombu's exchange tables
  std::string processed; ///< where acknowledged messages go; empty: nowhere
  std::string own;       ///< <control>/umbel

  std::string owner(std::string_view name) const;
  std::string dead(const queue_name& queue) const;
};

/// Which they are; touches none.
/// @returns `invalid_setting` for a URL or an option that cannot be meant
expected<folders> name_folders(const std::string& url,
                               const broker_options& options);

/// Makes those that are not there.
/// @returns `invalid_setting` for folders that cannot be had, and if they are not
/// all in one file system: messages move between them by renaming
expected<folders> open_folders(const std::string& url,
                               const broker_options& options);

/// The name of a message's file, as kombu gives it: <number>_<unique>.<queue>.msg.
/// The number is of milliseconds since the machine's start; 0 is put before all
/// others. Names of Umbel's have `umbel-<step>-` before what is unique.
struct message_file {
  int step = 0;
  uint64_t number = 0;
  std::string name;
  bool foreign = false; ///< not Umbel's: it may not yet be complete

  friend auto operator<=>(const message_file&, const message_file&) = default;
};

/// @returns nothing for what is no message of this queue. kombu looks for
/// ".<queue>.msg" anywhere in the name, and takes those of the queue "x.<queue>", too.
std::optional<message_file> read_name(std::string_view name,
                                      const queue_name& queue);

/// The queue of a message's file.
queue_name queue_of(std::string_view name);

enum class place : uint8_t { first, last };

/// A new name. Each is later in its place's order than all before it.
std::string new_name(const queue_name& queue, int step, place where);

/// A number that no other call returns, bigger than those before it.
uint64_t new_number();

/// A text as a part of a file name: percent-encoded, cut where it is too long.
std::string escape(std::string_view text);
std::string unescape(std::string_view text);

/// "00000000000000000042": sorts as text like the number.
std::string digits(uint64_t x);

/// What is in a folder, sorted; nothing if it is not there.
std::vector<std::string> list(const std::string& folder);

/// @returns nothing if there is no such file, or it cannot be read
std::optional<std::string> read_file(const std::string& path);

/// The text of a file of kombu's, which makes it empty, locks it, writes, unlocks and
/// closes it. With kombu 5.2 the last 8 KiB may come with the last step only.
/// @returns nothing while it is locked or empty
std::optional<std::string> read_unlocked(const std::string& path);

/// The time stamp of a file.
std::optional<timestamp> time_of(const std::string& path);

void set_time(const std::string& path, timestamp to) noexcept;

/// "cannot <what> '<path>': <errno>"
error failure(const char* what, const std::string& path);

} // namespace umbel::filesystem
