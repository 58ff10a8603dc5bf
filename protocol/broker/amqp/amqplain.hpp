// AMQPLAIN: the login method that RabbitMQ had before PLAIN. It says the same, in
// another form; the library does not know it. A server may offer nothing else.
#pragma once

#include "protocol/broker/amqp/address.hpp"

#include <amqp.h>

#include <chrono>

namespace umbel::amqp {

/// What both sides of a connection agree on when it begins.
struct handshake {
  int frame_max = 0; ///< bytes
  int heartbeat = 0; ///< seconds
  amqp_table_t properties{}; ///< the client's
  std::chrono::milliseconds patience{0}; ///< for each answer
};

/// In place of `amqp_login_with_properties`. @pre the socket is open
amqp_rpc_reply_t log_in_with_amqplain(amqp_connection_state_t state,
                                      const address& to, const handshake& how);

} // namespace umbel::amqp
