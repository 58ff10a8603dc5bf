// The messages between consumer, reader, writer, courier, forwarder and timer. All are
// local to this process.
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/message/time.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

// -- reader ---------------------------------------------------------------------

/// A reader is connected and waits for credit.
struct reader_up {
  caf::actor reader;
  ownership terms = {}; ///< of what it reserves
};

/// The reader may fetch this many more messages.
struct credit {
  size_t messages = 0;
};

/// Fetch nothing more; the credit is void. Answered by `reader_paused`, after the last
/// `deliveries`.
struct pause_reader {};

struct reader_paused {};

/// There are others to consume than before: look into `consumed_queues`.
struct queues_changed {};

/// The answer: from now on nothing is reserved by the old list.
struct queues_taken {};

/// Reserved messages, in the order of their queue.
struct deliveries {
  std::vector<delivery> batch;
};

// -- listener -------------------------------------------------------------------

/// Whatever is broadcast from now on is heard.
struct listener_up {};

// -- writer ---------------------------------------------------------------------

/// Answer with `writer_up` as soon as there is a connection.
struct await_writer {};

/// A writer is connected.
struct writer_up {
  caf::actor writer;
  std::vector<revoked_task> revoked = {}; ///< what the broker knows of
};

/// Keep these revocations in the broker. A request, answered by `caf::ok_atom`.
struct keep_revoked {
  std::vector<revoked_task> tasks;
};

/// Who settles is connected: the writer, or the courier.
struct settler_up {
  caf::actor settler;
};

/// Numbered settlements; shared, because the consumer keeps them until they
/// are confirmed and sends them again to the next settler if this one dies.
struct settle_batch {
  uint64_t number = 0;
  std::shared_ptr<const std::vector<settlement>> settlements;
};

/// Publish tasks that follow from no message, and keep what is known of their groups.
struct publish_tasks {
  std::vector<outgoing_message> messages;
  std::vector<group_record> groups;
};

/// Everything up to and including this batch is with the broker.
struct confirmed {
  uint64_t number = 0;
  uint64_t first = 0; ///< and nothing before this one is said to be

  bool has(uint64_t x) const noexcept {
    return first <= x && x <= number;
  }
};

/// Renew the lease, and the time stamps of these tags.
struct renew_lease {
  std::vector<delivery_tag> tags;
};

/// The lease is held until then, if it is not renewed.
struct lease_renewed {
  std::chrono::steady_clock::time_point until;
};

/// The lease had ended: what was reserved under it and has not begun may be
/// somebody else's.
struct lease_lapsed {};

/// Restore what dead or lost owners left.
struct recover_lost {};

/// Put delayed messages that are due back on their queues. Answered by
/// `forwarded`.
struct forward_due {};

struct forwarded {
  std::chrono::milliseconds next{0}; ///< when to look again
};

/// A message was delayed until then, and none until earlier.
struct delayed_until {
  timestamp due;
};

/// Ask for turns under rate limits that all nodes share. Answered by `turns`.
struct take_turns {
  std::vector<uint64_t> ids;
  std::vector<turn_request> requests; ///< one for each id
};

struct turns {
  std::vector<uint64_t> ids;
  std::vector<turn> answers;
};

/// Ask for the keys of unique tasks. Answered by `key_holders`.
struct claim_keys {
  std::vector<uint64_t> ids;
  std::vector<key_claim> claims; ///< one for each id
};

/// The tasks that have them.
struct key_holders {
  std::vector<uint64_t> ids;
  std::vector<std::string> holders;
};

/// Look how many messages wait in the consumed queues. Answered by
/// `waiting_messages`.
struct count_waiting {};

/// In the first queue that is not empty.
struct waiting_messages {
  queue_name queue;
  size_t count = 0; ///< 0: all are empty
};

/// Give up the lease; the last message before the end. Answered by `released`.
struct release_lease {};

struct released {};

// -- timer ----------------------------------------------------------------------

/// Send `woken` with this id at that wall-clock time.
struct wake_at {
  timestamp due;
  uint64_t id = 0;
};

struct woken {
  std::vector<uint64_t> ids;
};

// -- watchdog -------------------------------------------------------------------

/// Answered by `appetite`.
struct list_appetite {};

struct appetite {
  bool hungry = false;    ///< the reader has credit
  uint64_t delivered = 0; ///< messages since the consumer started
  caf::actor reader;      ///< null: not connected
  caf::actor writer;      ///< null: not connected
};

/// Are you there? The reader answers with `reader_alive`, between two waits.
struct call_reader {};

struct reader_alive {};

// -- consumer -------------------------------------------------------------------

/// Never run these tasks: neither what waits here nor what comes later. What
/// runs goes on unless `signal` says how to end it. Answered by `tasks_revoked`.
struct revoke_tasks {
  std::vector<task_id> ids;
  std::optional<int> signal;
};

/// Other nodes know these to be revoked. What is known here stays as old as it
/// is: else ids that nodes tell each other would never grow old.
struct learn_revoked {
  std::vector<task_id> ids;
};

/// These are revoked, on the disk too if the worker has a state file.
struct tasks_revoked {
  std::vector<task_id> ids;
  timestamp time;
  std::vector<task_id> terminated; ///< those of them that were here
};

/// Warm shutdown: fetch nothing more, give back what has not begun, finish what
/// runs. Answered by `drained`.
struct drain {};

/// Answered by `unfinished_tasks`.
struct list_unfinished {};

/// What is reserved and has not ended, the oldest first.
struct unfinished_tasks {
  struct entry {
    std::string name;              ///< "tasks.add[id]"
    std::optional<double> running; ///< seconds; nothing if it waits
  };

  std::vector<entry> tasks;
};

/// Cold shutdown: as drain, but give up what runs as well.
struct abandon {};

/// Nothing is left to do: results are stored, the lease is given up.
struct drained {};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::reader_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::listener_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::credit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pause_reader)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::reader_paused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::queues_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::queues_taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::deliveries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::await_writer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::writer_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::keep_revoked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::settler_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::settle_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::publish_tasks)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::confirmed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::renew_lease)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::lease_renewed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::lease_lapsed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::recover_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::forward_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::forwarded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::delayed_until)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::take_turns)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::turns)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::claim_keys)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::key_holders)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::count_waiting)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::waiting_messages)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_appetite)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::appetite)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::call_reader)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::reader_alive)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::release_lease)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::released)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::wake_at)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::woken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::revoke_tasks)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::learn_revoked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::tasks_revoked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::drain)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_unfinished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::unfinished_tasks)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::abandon)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::drained)
