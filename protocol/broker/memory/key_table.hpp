// The keys of unique tasks in the memory broker's hub, and the marks of what is to be
// published once. Not thread-safe: the hub's mutex guards it.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/message/uniqueness.hpp"

#include <chrono>
#include <map>
#include <string>

namespace umbel {

class key_table {
public:
  using time_point = std::chrono::milliseconds; ///< since 1970

  /// @returns the id of the task that has it now
  std::string claim(const key_claim& x, time_point now);

  void give_back(const unique_key& x);

  /// Takes what has to be taken before a message is put on its queue.
  /// @returns the id of the task that has its key, if that is another one; the
  ///          message's own if it was published before; empty if it may be published
  std::string check_publishing(const unique_terms& x, time_point now);

private:
  struct holder {
    std::string id;
    time_point until{0};
  };

  void forget_expired(time_point now);

  std::map<std::string, holder> keys_;
  std::map<std::string, time_point> published_; ///< until when, by id
};

} // namespace umbel
