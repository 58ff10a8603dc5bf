// Hears what is broadcast over folders: commands to workers, and events; and what is
// said to one: the answers to commands.
//
// As kombu 5.3 and later do it: whoever listens has a queue of his own that is bound to
// the exchange in its table, and whoever broadcasts puts a file into each bound queue.
// (kombu 5.2 broadcasts nothing here.)
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

/// @param prefix of the name of a queue of events
/// @returns errors as `connect_broker`
expected<std::unique_ptr<subscription>>
subscribe_filesystem(const std::string& url, const broker_options& options,
                     const std::string& exchange, const std::string& pattern,
                     const std::string& prefix);

/// A mailbox: a queue that is bound with its key.
expected<std::unique_ptr<subscription>>
open_filesystem_mailbox(const std::string& url, const broker_options& options,
                        const std::string& exchange, const std::string& key);

} // namespace umbel
