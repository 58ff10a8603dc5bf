// Queues that are the tables of kombu's SQLAlchemy transport, `sqla+sqlite:///path`:
// Python clients and workers put messages there and take them.
//
//  1. What is taken leaves kombu's tables for `message`, in the transaction that
//     reserves it, and is put back from there. kombu's own way, a row that is no longer
//     visible, says neither who has it nor whether he is done: what a killed Python
//     worker had is lost.
//  2. kombu has no priorities. Rows of Python's get the step of theirs when a worker of
//     ours first looks at them.
//  3. Python rings no bell: its commits are seen in the log (bell.hpp).
//
// The functions are those of queues.hpp, which chooses.
#pragma once

#include "protocol/broker/sqlite/queues.hpp"

namespace umbel::sqlite::kombu {

bool anything_waits(database& db, const queue_name& queue);
std::optional<int64_t> count_waiting(database& db, const queue_name& queue);
std::vector<candidate> next_waiting(database& db, const queue_name& queue,
                                    size_t max, const std::vector<int>& steps);
int64_t claim(database& db, const queue_name& queue, const candidate& x);
size_t purge_some(database& db, const queue_name& queue, size_t max);
void declare(database& db, const queue_name& queue);
void put(database& db, const outgoing_message& x, int step);

/// Out of `message`.
void put_back(database& db, const queue_name& queue, int64_t message,
              place where);

} // namespace umbel::sqlite::kombu
