// What reserve.lua is asked, and what its replies mean: the numbering of tags,
// the turns of the queues, and what a predecessor left behind.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel::redis {

class reservation {
public:
  /// Most messages at once. Larger: fewer round trips, but Redis serves nobody
  /// else meanwhile.
  static constexpr size_t most = 1'000;

  static constexpr auto doing = "reserve messages";

  /// @param reader the name of the connection, if it may be superseded by another one
  ///               of the same incarnation
  reservation(const broker_options& options, const keys& names,
              std::string reader = {});

  /// From now on of these queues. Not between `call` and `read`.
  void consume(std::span<const queue_name> queues);

  /// Whether there are queues to ask for.
  bool asks() const noexcept {
    return !queues_.empty();
  }

  /// The answer for which no server is needed: messages that an earlier reply
  /// brought beyond what was wanted, or none if there are no queues or none are
  /// wanted.
  std::optional<std::vector<delivery>> known(size_t max);

  /// The first queue's most urgent list: where nearly all messages come from.
  enum class first_list {
    tracked, ///< a push is announced by CLIENT TRACKING, like one to any other
    awaited, ///< a push ends `wait`, and is not announced
  };

  /// Adds the call of the script for up to `max` messages, and `most`.
  void call(pipeline& to, size_t max, first_list x) const;

  /// Adds a command that ends when there is something on the first list, and
  /// leaves it there. While there are queues.
  void wait(pipeline& to) const;

  /// The messages in its reply; nothing if this is not one.
  std::optional<std::vector<delivery>> read(const redisReply& answer, size_t max);

private:
  delivery_tag tag(uint64_t sequence) const;
  void take_left_behind(std::span<redisReply* const> items,
                        std::vector<delivery>& result, size_t max);

  keys keys_;
  std::vector<queue_name> queues_;
  std::vector<std::string> lists_;     // of all queues, as reserve.lua wants them
  std::vector<std::string> constants_; // ARGV[1] to ARGV[8]
  std::string reader_key_;
  std::string reader_;
  std::vector<std::string> endings_;   // of the queues' ledger entries
  std::string tag_prefix_;
  uint64_t next_sequence_;
  size_t first_queue_ = 0; // where the next reserve begins
  bool lease_is_kept_; // by another connection
  bool looked_behind_ = false;
  std::deque<delivery> left_behind_; // more than the first reserve wanted
};

} // namespace umbel::redis
