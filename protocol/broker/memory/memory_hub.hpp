// The "server" of the in-memory broker: what all connections to the same
// `memory://name` share. It keeps what a Redis server would keep: queues,
// bindings, the ledger of unacknowledged messages, leases, dead letters.
//
// A hub lives as long as the process, as a server outlives its clients: a
// worker that drops and opens connections finds its messages again.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/memory/binding.hpp"
#include "protocol/broker/memory/key_table.hpp"
#include "protocol/broker/memory/message_queue.hpp"
#include "protocol/broker/rate_table.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace umbel {

class memory_mailbox;
struct broadcast;
class result_table;

/// What the hub has to know of one connection.
struct memory_client {
  broker_options options;
  std::string owner; ///< "<node>/<incarnation>", the head of its tags
  uint64_t next_sequence = 1;
  bool reclaimed = false;   ///< whether its first `reserve` is over
  size_t rotation = 0;      ///< the queue whose turn it is
  bool interrupted = false; ///< guarded by the hub's mutex
  std::shared_ptr<result_table> results; ///< null: results live elsewhere
};

/// Thread-safe. The verbs are those of `broker`.
class memory_hub {
public:
  /// Milliseconds since 1970, UTC.
  using clock = std::function<std::chrono::milliseconds()>;

  /// The hub of this name, made at its first use.
  static std::shared_ptr<memory_hub> of(const std::string& name);

  memory_hub();

  // -- what a connection does -------------------------------------------------

  std::vector<delivery> reserve(memory_client& who, size_t max);
  void consume(memory_client& who, std::span<const queue_name> queues);
  void wait(memory_client& who, std::chrono::milliseconds timeout);
  void interrupt(memory_client& who) noexcept;
  std::vector<bool> settle(const memory_client& who,
                           std::span<const settlement> batch);
  std::vector<bool> owned(std::span<const delivery_tag> tags);
  void renew(const memory_client& who, std::span<const delivery_tag> tags);
  void release(const memory_client& who);
  recovery_report recover(const memory_client& who);
  forward_report forward();
  std::vector<turn> take_turns(std::span<const turn_request> batch);
  void declare(const memory_client& who, std::span<const queue_name> queues);
  std::vector<std::string> claim_keys(std::span<const key_claim> batch);

  /// @returns `duplicate` for unique ones that are there already; the others are
  /// published
  expected<void> publish(const memory_client& who,
                         std::span<const outgoing_message> batch);
  size_t publish(const memory_client& who, const std::string& exchange,
                 const std::string& routing_key, const std::string& payload,
                 int priority);

  /// What is broadcast through this exchange goes to `x`, as long as it lives.
  void subscribe(const std::string& exchange,
                 const std::shared_ptr<memory_mailbox>& x);

  size_t size(const queue_name& queue);
  std::vector<dead_letter> dead_letters(const queue_name& queue, size_t max);
  void remember_revoked(std::span<const revoked_task> tasks);
  std::vector<revoked_task> revoked();
  std::vector<queue_name> dead_queues();
  size_t take_dead(const memory_client& who, const queue_name& queue,
                   std::span<const std::string> ids, dead_fate fate);
  size_t purge(const queue_name& queue);

  // -- what stands beside the interface ---------------------------------------

  /// Binds a queue to a named exchange. Idempotent.
  void bind(const std::string& exchange, const binding& x);

  /// Replaces the clock of leases, visibility timeouts and due times, so that tests need
  /// not wait for them. `wait` goes on to use real time.
  void set_clock(clock now);

  /// Puts an entry into the ledger as a peer without a lease would have left
  /// it `age` ago.
  void plant(const delivery_tag& tag, const queue_name& queue, int step,
             const std::string& payload, std::chrono::milliseconds age);

  /// Messages in the ledger.
  size_t unacknowledged();

private:
  struct entry {
    std::string owner; ///< empty for peers without a lease
    uint64_t sequence = 0;
    queue_name queue;
    int step = 0;
    std::string payload;
    std::chrono::milliseconds since{0}; ///< reserved or renewed last
    bool delayed = false;               ///< waits to be due, and has no owner
  };

  using ledger = std::unordered_map<delivery_tag, entry>;

  std::vector<delivery> reclaim(memory_client& who);
  bool settle_one(const memory_client& who, const settlement& x);
  bool first_time(const delivery_tag& tag);
  void put(const memory_client& who, const outgoing_message& x);
  void bind_queue(const memory_client& who, const queue_name& queue);
  void bind_unlocked(const std::string& exchange, const binding& x);
  std::set<queue_name> route(const std::string& exchange,
                             const std::string& routing_key) const;
  void put_back(entry x, bool next);
  void delay(const settlement& x, entry what);
  void extend_lease(const memory_client& who);
  size_t spread(const std::string& name, const broadcast& x);
  bool is_dead(const std::string& owner, const memory_client& who,
               std::chrono::milliseconds now) const;

  std::mutex mutex_;
  std::condition_variable arrival_; ///< a message came, or an interrupt
  clock now_;
  std::unordered_map<queue_name, message_queue> queues_;
  std::map<std::string, std::vector<binding>> bindings_;
  std::map<std::string, std::vector<std::weak_ptr<memory_mailbox>>> mailboxes_;
  ledger ledger_;
  uint64_t last_dead_ = 0; ///< numbers dead letters
  /// The delayed entries of the ledger, by the time when they are due.
  std::set<std::pair<std::chrono::milliseconds, delivery_tag>> delayed_;
  std::map<task_id, timestamp> revoked_;
  rate_table rates_;
  key_table keys_;
  std::map<std::string, std::chrono::milliseconds> leases_; ///< owner -> expiry
  /// Tags whose `none` settlement has published, until nobody resends it.
  std::unordered_set<delivery_tag> published_;
  std::deque<std::pair<std::chrono::milliseconds, delivery_tag>> published_at_;
};

} // namespace umbel
