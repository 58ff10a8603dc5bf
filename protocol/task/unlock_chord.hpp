// celery.chord_unlock: the body of a chord whose parts nobody counts, because the
// result store cannot: files, SQLAlchemy's tables, rpc.
//
//  1. looks whether all tasks of the header have ended; if not, runs again after
//     the interval;
//  2. starts the body with their results, in the order of the header;
//  3. or, if one of them has failed, has the body fail with a ChordError.
//
// Whoever sends the chord sends this task with it (Celery: fallback_chord_unlock).
#pragma once

#include "protocol/task/context.hpp"
#include "protocol/task/types.hpp"

#include <optional>
#include <string>

namespace umbel {

/// @param group the header's id
/// @param callback the body's signature
/// @param interval seconds; null: result_chord_retry_interval
/// @param max_retries null: for ever
/// @param result the header's result tuples
/// @param rest what else Celery sends, without effect
void unlock_chord(context& self, const std::string& group,
                  const json::value& callback, std::optional<double> interval,
                  std::optional<int> max_retries, const json::array& result,
                  kwargs rest);

} // namespace umbel
