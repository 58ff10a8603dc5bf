// The transport interface: what a worker needs from a message broker.
//
// Delivery is a lease (design section 5). `reserve` moves messages from a queue
// into the ledger of unacknowledged ones under fresh tags, atomically; `settle`
// removes a tag and does what follows from it, and only if the tag is still
// there. What a dead or lost owner left is put back by `recover`.
//
// A broker object is one connection, used by one thread at a time; only
// `interrupt` may be called from another. After an `unavailable` or `timeout`
// error the object is finished: destroy it and connect a new one. Nothing in
// here retries: that is the supervisor's business.
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/backend/workflow.hpp"
#include "protocol/error.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"
#include "protocol/rate.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

/// One reserved message.
struct delivery {
  delivery_tag tag;
  queue_name queue;    ///< where it was reserved from
  std::string payload; ///< kombu's envelope as JSON text, byte for byte
};

/// A message to put on a queue.
struct outgoing_message {
  queue_name queue;    ///< destination, reached through the anonymous exchange
  int priority = 0;    ///< 0..9, Celery's number for this broker
  std::string payload; ///< envelope as JSON text
  /// Not empty: it goes through this exchange instead, with `routing_key`, to all
  /// queues that are bound to it so, be it none. `queue`, if any, is one that
  /// is to be bound as the options say.
  std::string exchange = {};
  std::string routing_key = {};
};

/// Why a message was parked instead of run, kept with it for an operator.
struct dead_letter {
  std::string reason; ///< one line
  std::string payload; ///< the message exactly as it was received
  std::string id = {}; ///< when it is read: names it in its queue's list
  timestamp at{};  ///< when it is read: since when it is there; zero: unknown
};

/// What becomes of a dead letter.
enum class dead_fate : uint8_t {
  replay,  ///< goes to its queue as a message that was never delivered
  discard, ///< is forgotten
};

/// What becomes of a reserved message.
enum class disposition : uint8_t {
  ack,     ///< done with: forget it
  requeue, ///< back on its queue's far end, consumed last (reject(requeue=True))
  restore, ///< back on its queue, consumed next, marked as redelivered
  delay,   ///< waits in the broker until it is due, owned by nobody; then as
           ///< restore, but not marked: it was never begun
  none,    ///< leave it where it is: the tag was acknowledged before, or stays
};

/// The key of a unique task, and who has it (protocol/message/uniqueness.hpp).
struct unique_key {
  std::string key;
  std::string id; ///< of the task
};

/// Asks for such a key.
struct key_claim {
  unique_key wanted;
  std::chrono::milliseconds held_for{0};
};

/// One atomic step at the end (or start) of a task's life.
///
/// Fencing: unless `how` is `none`, nothing of this happens when the tag is no
/// longer in the ledger, because the message then belongs to somebody else.
/// With `none`, `publish` happens once per tag even if the settlement is sent
/// twice after a lost reply.
struct settlement {
  delivery_tag tag;
  disposition how = disposition::ack;
  std::optional<result_record> result; ///< stored before the tag goes
  std::vector<outgoing_message> publish; ///< follow-ups: retry, callbacks, chain
  std::optional<dead_letter> dead; ///< parked in the queue's dead-letter list
  queue_name queue; ///< the queue it came from; needed for `dead`, `requeue`,
                    ///< `restore` and `payload`
  timestamp due{};  ///< for `delay`: when `forward` puts it back
  int priority = 0; ///< for `delay`: the message's own, 0..9
  /// What comes back in place of the message, now or, with `none`, should its
  /// owner die (on RabbitMQ, which does not change what it has sent: as it was).
  std::optional<std::string> payload;
  /// What the task's workflow has to know; only where `counts_chords`, but for
  /// its results, which are as `result`.
  workflow_steps workflow = {};
  /// Given back, if that task has it. Only where `keeps_unique_keys`.
  std::optional<unique_key> release = {};
};

/// Asks for a task's turn under a rate limit that all nodes share.
struct turn_request {
  std::string limit; ///< its name
  umbel::rate rate;
  std::chrono::microseconds hold{0}; ///< how far ahead the turn may be
  bool waited = false; ///< has been told to ask again before
};

/// The answer.
struct turn {
  std::chrono::microseconds wait{0}; ///< until its time has come
  bool granted = false; ///< it may begin then; if not, it may ask again
};

/// A task that shall not run, and since when.
struct revoked_task {
  task_id id;
  timestamp time;
};

/// How long what was reserved stays with who reserved it.
struct ownership {
  /// No longer than the reader's connection. Else as long as the lease.
  bool ends_with_connection = false;
  /// Another limit, as a line for an operator; empty: none.
  std::string limit;
};

/// What a renewal found of the lease.
enum class lease_state : uint8_t {
  held,
  lapsed, ///< it had ended, and is held again: some of what it covered may have
          ///< been restored
  lost,   ///< it had ended, and others have restored what it covered
};

/// What a recovery pass did.
struct recovery_report {
  size_t restored = 0;   ///< messages put back on their queues
  std::vector<std::string> dead_owners; ///< incarnations whose lease was gone
};

/// What a look at the delayed messages did.
struct forward_report {
  size_t forwarded = 0; ///< messages put back on their queues
  /// When to look again. Zero: at once, more of them are due. Longer than until
  /// the next one is due if another node is there to look at that time.
  std::chrono::milliseconds next{0};
};

/// How a server is known to be the one that is meant, and how it knows us.
struct tls_options {
  bool enabled = false; ///< also where the URL does not say so
  std::string ca_certs; ///< file; empty: the system's authorities
  std::string certfile; ///< file; empty: none
  std::string keyfile;  ///< of `certfile`
  bool verify = true;   ///< the server's certificate and host name
};

/// A place for what the connections of one life of a worker have in common.
/// Only brokers know what that is.
struct shared_connections {
  std::mutex mutex;
  std::shared_ptr<void> value;
  std::atomic<size_t> blocked = 0; ///< how many can publish nothing now
};

/// Through which exchange, and with which key, a queue is reached.
struct queue_address {
  std::string exchange;
  std::string exchange_type;
  std::string routing_key;
};

/// Of queues that come while the connections are open, what they are bound to. Any
/// thread may use it.
class added_bindings {
public:
  void set(const std::string& queue, queue_address x) {
    std::lock_guard guard{mutex_};
    bindings_[queue] = std::move(x);
  }

  std::optional<queue_address> find(const std::string& queue) const {
    std::lock_guard guard{mutex_};
    auto i = bindings_.find(queue);
    return i == bindings_.end() ? std::nullopt : std::optional{i->second};
  }

private:
  mutable std::mutex mutex_;
  std::map<std::string, queue_address> bindings_;
};

/// How this process takes part: the same for every connection it opens.
struct broker_options {
  node_name node;          ///< "celery@host"
  std::string incarnation; ///< unique for each life of the worker
  std::vector<queue_name> queues; ///< consumed queues; empty for producers
  /// Another connection keeps the lease: without it, `reserve` fails. Else a node
  /// that was paused would not find out that its lease was gone.
  bool lease_is_kept = false;
  std::chrono::milliseconds visibility_timeout{3'600'000};
  std::chrono::milliseconds lease{10'000}; ///< expiry of the incarnation's lease
  std::chrono::milliseconds connect_timeout{4'000};
  std::chrono::milliseconds socket_timeout{120'000}; ///< for one reply
  std::string global_keyprefix;
  std::vector<int> priority_steps{0, 3, 6, 9};
  std::string sep{"\x06\x16"};
  /// What workers and clients say of themselves goes through it.
  std::string event_exchange{"celeryev"};
  size_t dead_letters_max = 10'000; ///< length bound of a dead-letter list
  /// Folders of a filesystem broker, as kombu names and presets them.
  struct filesystem_folders {
    std::string data_folder_in{"data_in"};   ///< messages to consume
    std::string data_folder_out{"data_out"}; ///< where messages are published
    std::string control_folder{"control"};
    std::string processed_folder{"processed"};
    bool store_processed = false; ///< keep what is acknowledged in that folder
  } filesystem;
  std::string result_url; ///< the result store, to see whether it is this server
  result_store_options results;
  /// First sequence number of this connection's tags. A new connection of the
  /// same incarnation continues after the last one its predecessor delivered;
  /// its first `reserve` also returns what the predecessor reserved without
  /// living to read the reply.
  uint64_t first_sequence = 1;

  /// Told what an operator should know and what is no error, a line at a time.
  /// From any thread that uses a connection.
  std::function<void(const std::string&)> tell = [](const std::string&) {};

  // -- for brokers that send messages unasked (RabbitMQ) ------------------------

  size_t prefetch = 8; ///< how many at first: concurrency x multiplier
  size_t prefetch_max = 2'048; ///< how many at most, where tasks are short
  std::chrono::seconds heartbeat{120}; ///< 0: none
  std::string login_method; ///< PLAIN, AMQPLAIN, EXTERNAL; empty: PLAIN
  tls_options tls;
  /// Of queues that are created: a JSON object for each that is known, and for
  /// all others what stands under the empty name. Empty: none.
  std::map<std::string, std::string> queue_arguments;
  /// What a queue is bound to; all others, to the exchange of their name with that
  /// name.
  using binding = queue_address;
  std::map<std::string, binding> bindings;
  std::string missing_exchange_type{"direct"}; ///< of those exchanges: or "topic"
  std::shared_ptr<added_bindings> added = std::make_shared<added_bindings>();
  std::string delay_queue_type{"quorum"}; ///< of the queues that delay
  /// Shared by all connections of one life of a worker, and by them alone.
  std::shared_ptr<shared_connections> shared
    = std::make_shared<shared_connections>();
};

/// One connection to a message broker.
class broker {
public:
  virtual ~broker() = default;

  /// Where this is, without password, for logs: "redis://localhost:6379/0".
  virtual std::string location() const = 0;

  /// How long what was reserved stays this worker's.
  virtual ownership reserved_until() const {
    return {};
  }

  // -- consuming --------------------------------------------------------------

  /// Takes up to `max` messages, urgent ones first, round robin between queues.
  /// Returns at once; empty when there are none. With 0 it takes none, but what
  /// this worker has in hand is made known where messages are sent unasked.
  virtual expected<std::vector<delivery>> reserve(size_t max) = 0;

  /// Blocks until the queues may have something, `timeout` has passed, or
  /// `interrupt` was called. Takes no message. May wake without cause, and does
  /// so at once unless the last `reserve` returned fewer than it was asked for.
  virtual expected<void> wait(std::chrono::milliseconds timeout) = 0;

  /// Nothing will be reserved for a while: messages that the broker has sent
  /// ahead go back to their queues.
  virtual expected<void> pause() {
    return {};
  }

  /// From now on it reserves from these queues, which are known, and from no others.
  virtual expected<void> consume(std::span<const queue_name> queues) = 0;

  /// Ends a `wait` in progress, or the next one. From any thread.
  virtual void interrupt() noexcept = 0;

  /// Carries out a batch in one round trip, each settlement atomic in itself.
  /// @returns for each settlement whether it took effect (the fence held).
  virtual expected<std::vector<bool>>
  settle(std::span<const settlement> batch) = 0;

  /// Whether `settle` stores results itself, in the same atomic step: the result
  /// store is on this very server. If not, settlements must come without
  /// results, and the caller stores what it still owns before it settles.
  virtual bool stores_results() const = 0;

  /// Whether `settle` carries out all of a workflow's steps: it counts parts of
  /// chords, and publishes the body with the last one.
  virtual bool counts_chords() const {
    return false;
  }

  /// Which of these tags are still in the ledger. What is not will not be again.
  virtual expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) = 0;

  // -- the lease ----------------------------------------------------------------

  /// Renews this incarnation's lease and the time stamps of `tags`, so that
  /// neither Umbel nor Python peers take them for abandoned.
  virtual expected<void> renew(std::span<const delivery_tag> tags) = 0;

  /// What the last `renew` found. The first one of an incarnation finds `lost`.
  virtual lease_state lease() const {
    return lease_state::held;
  }

  /// Gives up the lease at once: what is still unacknowledged is then restored
  /// by the next `recover` of any node.
  virtual expected<void> release() = 0;

  /// Restores what others left: entries older than the visibility timeout, and
  /// entries of incarnations whose lease is gone. Safe from any number of nodes
  /// at once: each entry is restored by exactly one. Where that takes long,
  /// some owners are left for the next call.
  virtual expected<recovery_report> recover() = 0;

  // -- delayed messages -----------------------------------------------------------

  /// The longest time between two looks at the delayed messages that `forward`
  /// asks for: so long may one stay unnoticed that another node has delayed.
  static constexpr std::chrono::milliseconds look_interval{3'000};

  /// Puts messages that are due by the broker's clock back on their queues, each
  /// where it is consumed next, the earliest first. Safe from any number of
  /// nodes at once: each is put back by exactly one, and of those that call again
  /// when they are told to, one calls when the next message is due.
  virtual expected<forward_report> forward() = 0;

  /// Gives tasks their turns under shared rate limits, by the broker's clock and
  /// the rule of `rate_bucket`. A turn whose answer is lost is wasted.
  virtual expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) = 0;

  /// Whether the turns are counted for all nodes together; if not, each node
  /// counts for itself.
  virtual bool shares_turns() const {
    return true;
  }

  // -- unique tasks -----------------------------------------------------------------

  /// Takes keys that are free, each until it is given back by a settlement or its time
  /// has passed. `publish` takes those of unique messages itself.
  /// @returns the ids of the tasks that have them: these or others. `unsupported`
  /// where a broker keeps no keys
  virtual expected<std::vector<std::string>>
  claim_keys(std::span<const key_claim> /* batch */) {
    return cannot("keep the keys of unique tasks");
  }

  // -- revocations ----------------------------------------------------------------

  /// When there are more, the broker forgets the oldest of them. None is told
  /// after a week.
  static constexpr size_t revoked_max = 50'000;
  static constexpr std::chrono::hours revoked_for{7 * 24};

  /// Keeps these for workers that start later. A broker that cannot does nothing.
  virtual expected<void>
  remember_revoked(std::span<const revoked_task> /* tasks */) {
    return {};
  }

  /// What is kept, the oldest first.
  virtual expected<std::vector<revoked_task>> revoked() {
    return std::vector<revoked_task>{};
  }

  // -- producing ----------------------------------------------------------------

  /// Makes the queues known: binding through the direct exchange of the same
  /// name as Celery's clients do. Idempotent.
  virtual expected<void> declare(std::span<const queue_name> queues) = 0;

  /// Publishes through the anonymous exchange, one round trip for all.
  virtual expected<void> publish(std::span<const outgoing_message> batch) = 0;

  /// Publishes to queues that belong to those who wait at them: no queue is made
  /// for a message that nobody waits for any more. One round trip for all.
  virtual expected<void> send_replies(std::span<const outgoing_message> batch) {
    return publish(batch);
  }

  /// Publishes through a named exchange: to every queue whose binding matches
  /// (direct: equal key; topic: pattern). @returns how many queues got it;
  /// fanout exchanges return the number of live subscribers.
  virtual expected<size_t> publish(const std::string& exchange,
                                   const std::string& routing_key,
                                   const std::string& payload, int priority)
    = 0;

  /// Whether what `publish` returns for a fanout exchange is the number of those
  /// who listen; if not, only zero says something.
  virtual bool counts_listeners() const {
    return true;
  }

  // -- looking ------------------------------------------------------------------

  /// Messages waiting in a queue, all priorities.
  virtual expected<size_t> size(const queue_name& queue) = 0;

  /// Newest first, at most `max`.
  virtual expected<std::vector<dead_letter>>
  dead_letters(const queue_name& queue, size_t max) = 0;

  /// The queues that have dead letters, by name.
  virtual expected<std::vector<queue_name>> dead_queues() {
    return cannot("list the queues with dead letters");
  }

  /// Takes these out of a queue's dead letters, each in one step with what
  /// becomes of it, the oldest first. @returns how many were still there
  virtual expected<size_t> take_dead(const queue_name&,
                                     std::span<const std::string> /* ids */,
                                     dead_fate) {
    return cannot("take dead letters");
  }

  /// Deletes what waits in a queue. @returns how many messages there were.
  virtual expected<size_t> purge(const queue_name& queue) = 0;

protected:
  error cannot(const std::string& what) const {
    return {errc::unsupported, location() + ": cannot " + what};
  }
};

/// Opens a connection to `url` ("redis://...", "memory://name").
/// @returns `invalid_setting` for a URL that cannot be meant, `unavailable`,
/// `timeout` or `refused` when the server cannot be had.
expected<std::unique_ptr<broker>> connect_broker(const std::string& url,
                                                 const broker_options& options);

/// Whether the broker of this URL keeps the keys of unique tasks.
bool keeps_unique_keys(const std::string& url);

} // namespace umbel
