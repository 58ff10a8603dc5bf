// Asks and steers workers of any kind, on any broker that can broadcast: the
// client's side of remote control (contract section 8). One object is two
// connections: one that speaks, and a mailbox. Used by one thread at a time.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/subscription.hpp"
#include "protocol/control/control_request.hpp"
#include "protocol/control/logical_clock.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace umbel {

struct control_client_options {
  std::string broker_url;
  broker_options broker; ///< timeouts, transport options
  broadcast_options broadcasts;
  body_form form;        ///< of commands: `task_serializer`
  content_rules rules;   ///< of answers: `accept_content`
};

/// What one node has answered.
struct node_answer {
  node_name node;
  json::value value;
  std::chrono::microseconds after{0}; ///< since the question
};

class control_client {
public:
  /// @returns errors as `connect_broker`; `unsupported` if the broker broadcasts
  ///          nothing
  static expected<control_client> connect(const control_client_options& options);

  /// The broker, without password.
  std::string location() const {
    return broker_->location();
  }

  /// Broadcasts a command and waits for nothing. @pre no reply_to
  expected<void> tell(control_request x);

  /// Broadcasts a command and collects the answers, in the order in which they
  /// come, until `timeout` has passed or everybody has answered: all that are
  /// named, or all that listen, where the broker can tell how many they are.
  expected<std::vector<node_answer>> ask(control_request x,
                                         std::chrono::milliseconds timeout);

private:
  explicit control_client(control_client_options options)
      : options_(std::move(options)) {
  }

  expected<size_t> say(control_request x, std::optional<timestamp> expires);

  control_client_options options_;
  std::string address_; ///< of the mailbox
  std::unique_ptr<logical_clock> clock_ = std::make_unique<logical_clock>();
  std::unique_ptr<broker> broker_;
  std::unique_ptr<subscription> mailbox_;
};

} // namespace umbel
