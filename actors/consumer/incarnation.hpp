// One life of a worker's consumer and its connections.
#pragma once

#include "actors/consumer/connection_retries.hpp"
#include "actors/consumer/consumed_queues.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/subscription.hpp"
#include "protocol/message/content.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace umbel {

/// Most messages of one reservation. More: fewer round trips, but the server
/// is busy with one script for longer.
constexpr size_t batch_max = 512;

/// What the connections of one incarnation share. The reader keeps the first
/// sequence number of its successor here, and the broker whose wait others may
/// interrupt.
struct incarnation {
  std::string broker_url;
  std::string result_url;
  broker_options options; ///< node, incarnation, timeouts, queues at the start
  std::shared_ptr<consumed_queues> queues
    = std::make_shared<consumed_queues>(); ///< those of now
  content_rules content;  ///< of messages and commands
  content_rules events;   ///< of what workers say of themselves
  broadcast_options broadcasts; ///< how commands and events come
  serializer results = serializer::json; ///< what results are written in
  std::atomic<uint64_t> next_sequence{1};
  /// The log says that shared rate limits are not shared. Writers', one at a time.
  bool told_of_turns = false;
  connection_retries retries;
  std::atomic<bool> known = false; ///< the lease has been held
  std::atomic<bool> lost = false;  ///< others have what it covered

  explicit incarnation(connection_retry_limits limits = {}) : retries{limits} {
    // nop
  }

  /// The reader, or its courier, has got these: the successor's tags go on after
  /// theirs.
  void reserved(std::span<const delivery> batch) {
    for (auto& x : batch) {
      auto text = std::string_view{x.tag.str()};
      auto number = text.substr(text.rfind('/') + 1);
      uint64_t sequence = 0;
      std::from_chars(number.data(), number.data() + number.size(), sequence);
      next_sequence = std::max<uint64_t>(next_sequence, sequence + 1);
    }
  }

  /// Why an actor ends whose connection is lost. Fatal if there may be no other.
  caf::error end_of_connection(const error& x) const {
    return retries.lost()
             ? caf::make_error(supervision_errc::connection_lost, x.what)
             : make_fatal(x.what);
  }

  /// The same for one that could not connect, and counts.
  caf::error end_of_attempt(const error& x) {
    return retries.failed()
             ? caf::make_error(supervision_errc::connection_lost, x.what)
             : make_fatal(x.what + "; giving up");
  }

  /// Ends the reader's wait for messages, if it is in one. From any thread.
  void interrupt_reader() {
    std::unique_lock guard{mutex_};
    if (reader_)
      reader_->interrupt();
  }

  void set_reader(broker* x) {
    std::unique_lock guard{mutex_};
    reader_ = x;
  }

  void add_listener(subscription* x) {
    std::unique_lock guard{mutex_};
    listeners_.insert(x);
  }

  void remove_listener(subscription* x) {
    std::unique_lock guard{mutex_};
    listeners_.erase(x);
  }

  /// Ends the waits for broadcasts, so that those who wait can end. From any thread.
  void end_listening() {
    ended_ = true;
    std::unique_lock guard{mutex_};
    for (auto x : listeners_)
      x->close();
  }

  bool listening_ended() const noexcept {
    return ended_;
  }

  /// Unless a successor has taken its place.
  void clear_reader(broker* x) {
    std::unique_lock guard{mutex_};
    if (reader_ == x)
      reader_ = nullptr;
  }

private:
  std::mutex mutex_;
  broker* reader_ = nullptr;
  std::set<subscription*> listeners_;
  std::atomic<bool> ended_ = false;
};

} // namespace umbel
