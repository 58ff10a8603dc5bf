// What a worker says of itself as a whole, in the words of Celery's `stats`,
// `report` and `active_queues` (contract section 8.4).
#pragma once

#include "actors/consumer/inspection.hpp"
#include "actors/pool/messages.hpp"
#include "actors/worker_config.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace umbel {

json::object worker_statistics(const worker_config& config,
                               const run_counts& runs, const pool_info& pool,
                               uint64_t clock);

/// For a report of a fault: versions, platform, settings.
std::string worker_report(const worker_config& config);

/// Queues that it consumes from, as kombu describes queues.
json::array queue_documents(const worker_config& config,
                            std::span<const queue_name> queues);

/// "34.5MB"
std::string resident_memory();

} // namespace umbel
