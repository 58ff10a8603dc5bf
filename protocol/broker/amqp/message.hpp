// AMQP messages as kombu's envelopes and back.
//
// Inside Umbel every message is kombu's envelope (contract section 2.1), as
// JSON text. On RabbitMQ the same facts travel as basic properties, a table of
// headers and a raw body, exactly as Python's py-amqp sends and reads them.
#pragma once

#include "protocol/broker/amqp/table.hpp"
#include "protocol/error.hpp"
#include "protocol/message/envelope.hpp"

#include <amqp.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace umbel::amqp {

/// The envelope of a message that has arrived.
/// @param tag ends up as properties.delivery_tag
std::string to_envelope(const amqp_envelope_t& x, std::string_view tag);

/// A header of a message that has arrived, as a number; 0 if there is none.
int64_t number_in(const amqp_table_t& headers, std::string_view name);

/// What tells a task's message from all others: its id, how often it was retried,
/// its task and its body. 0 for a message without an id.
uint64_t fingerprint(const amqp_message_t& x);

/// A message on its way out: what an envelope says, as AMQP wants it. Points
/// into itself; use it where it is.
class outgoing {
public:
  outgoing() = default;
  outgoing(const outgoing&) = delete;
  outgoing& operator=(const outgoing&) = delete;

  /// Reads an envelope. Bytes that are none become the body of a message
  /// without properties. What RabbitMQ has added on the way is left behind:
  /// with its x-death, a message that is delayed twice would be taken for one
  /// that runs in circles, and be dropped.
  void read(std::string_view envelope);

  /// RabbitMQ drops it then; when the worker is to judge that, unset it.
  void clear_expiration() noexcept {
    properties_._flags &= ~static_cast<amqp_flags_t>(AMQP_BASIC_EXPIRATION_FLAG);
  }

  /// Adds a header.
  void set_header(std::string_view name, std::string_view value);

  /// In place of the envelope's.
  void set_priority(int x) noexcept;

  const amqp_basic_properties_t& properties() const noexcept {
    return properties_;
  }

  std::string_view body() const noexcept {
    return source_.body;
  }

private:
  void set_text(std::string_view name, amqp_flags_t flag, amqp_bytes_t& to);

  envelope source_;
  pool memory_;
  amqp_basic_properties_t properties_{};
};

} // namespace umbel::amqp
