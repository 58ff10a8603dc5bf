// Opens the socket below a Redis connection.
//
// hiredis could connect by itself, but leaves its sockets to be inherited by
// child processes, which would then hold a dead worker's connection open.
#pragma once

#include "protocol/broker/redis/address.hpp"
#include "protocol/error.hpp"

#include <chrono>

namespace umbel::redis {

/// Connects a blocking socket: close-on-exec, without Nagle's delay, with
/// keepalive, and with the timeouts below for each read and write.
/// @returns the descriptor, which the caller owns; `unavailable` or `timeout`.
expected<int> open_socket(const address& where,
                          std::chrono::milliseconds connect_timeout,
                          std::chrono::milliseconds socket_timeout);

/// Limits how long one read or write on `fd` may take.
void set_socket_timeout(int fd, std::chrono::milliseconds timeout);

} // namespace umbel::redis
