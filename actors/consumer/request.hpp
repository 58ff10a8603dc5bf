// A request: one reserved message and what is known of it (Celery's term).
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/options.hpp"

#include <memory>
#include <string>

namespace umbel {

struct request {
  delivery_tag tag;
  queue_name queue;
  std::shared_ptr<const std::string> payload;
  task_header header;
  task_options task; ///< the task's options over the worker's settings
  bool acked = false; ///< acknowledged early; the tag is out of the ledger
  bool held = false;  ///< waits for its eta

  /// "tasks.add[id]", as Celery's logs name it.
  std::string display_name() const {
    auto& name = header.shadow.empty() ? header.task : header.shadow;
    return name + "[" + header.id.str() + "]";
  }
};

} // namespace umbel
