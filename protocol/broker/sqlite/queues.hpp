// Putting messages on queues and taking them, in a transaction of the caller's. The
// queues of a file are its table `waiting`, or, if it is shared with kombu, kombu's
// tables (kombu_queues.hpp). What does not wait is in `message` in either case.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/queue_admin.hpp"
#include "protocol/broker/sqlite/database.hpp"

#include <span>

namespace umbel::sqlite {

// -- looking --------------------------------------------------------------------

/// Whether something waits in a queue. Needs no transaction.
bool anything_waits(database& db, const queue_name& queue);

std::optional<int64_t> count_waiting(database& db, const queue_name& queue);

// -- taking ---------------------------------------------------------------------

/// A place in a queue.
struct candidate {
  int64_t step;
  int64_t position;
  int64_t id; ///< of the row that says what waits there
};

/// The first messages of a queue, in their order.
std::vector<candidate> next_waiting(database& db, const queue_name& queue,
                                    size_t max, const std::vector<int>& steps);

/// Has a message wait no longer. @returns its id in `message`
int64_t claim(database& db, const queue_name& queue, const candidate& x);

/// To be called when messages were claimed: they were the first ones of their queue,
/// in their order.
void end_claims(database& db, const queue_name& queue,
                std::span<const candidate> claimed);

/// Deletes messages that wait. @returns how many; 0: no more are there
size_t purge_some(database& db, const queue_name& queue, size_t max);

// -- putting --------------------------------------------------------------------

/// Makes a queue known to peers that look for it.
void declare(database& db, const queue_name& queue,
             const broker_options::binding& way);

/// Publishes, behind the others of its step.
void put(database& db, const outgoing_message& x, int step);

/// Where a message goes that was there before.
enum class place : uint8_t { first, last };

/// Marks a message as delivered before and puts it back on its queue. One that
/// cannot be marked goes back as it is.
void put_back(database& db, int64_t message, place where);

/// Puts it on its queue as the next one, unmarked.
void put_first(database& db, int64_t message);

/// The queues that a message reaches through an exchange, each once.
std::vector<std::string> route(database& db, const std::string& exchange,
                               const std::string& routing_key);

/// All bindings of a file, by exchange.
expected<binding_list> list_bindings(const std::string& url);

} // namespace umbel::sqlite
