// Results by `rpc://`: messages to a mailbox of the program's own, which workers
// find in the tasks' reply_to (contract section 6.3).
//
//  1. What arrives is kept until it is forgotten, the newest of it: unlike with a
//     store, nobody can be asked for it again.
//  2. A listener and a store, as a `result_hub` has them, look into the same mailbox.
//
// Used by one thread at a time, but for `interrupt`.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/client/result_hub.hpp"

#include <string>

namespace umbel {

/// What stands in reply_to for the mailbox `key`.
std::string rpc_address(const std::string& key);

/// Opens the mailbox. It goes a little after this does, with what is in it.
/// @returns errors as `connect_broker`; `unsupported` for brokers without mailboxes
expected<result_connections> open_rpc_results(const std::string& broker_url,
                                              broker_options options,
                                              const std::string& key);

} // namespace umbel
