// Where a conformance scenario takes place: an empty server of one kind, and
// what a scenario needs beside the broker interface to put things there and to
// look at them. A new broker takes part by its own world (see worlds.hpp).
#pragma once

#include "protocol/backend/result_store.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/message/envelope.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace umbel::test {

using namespace std::chrono_literals;

class world {
public:
  virtual ~world() = default;

  // -- what each kind of server does in its own way ---------------------------

  /// An empty broker of this scenario's own.
  virtual std::string url() const = 0;

  /// A result store on the same server.
  virtual std::string result_url() const {
    return url();
  }

  /// A lease whose end a scenario can wait for. It may also end between two lines of
  /// a scenario: a busy machine stops a process for longer.
  virtual std::chrono::milliseconds lease() const = 0;

  /// Lets a moment pass on the broker's clock, much shorter than the lease.
  virtual void moment() = 0;

  /// The broker's clock.
  virtual std::chrono::milliseconds now() const = 0;

  /// Binds a queue to an exchange, as a Python peer does.
  virtual void bind(const std::string& exchange, const std::string& key,
                    bool topic, const queue_name& queue) = 0;

  /// Leaves an entry of a Python peer in the ledger, reserved `age` ago.
  virtual void plant(const delivery_tag& tag, const queue_name& queue,
                     const std::string& payload,
                     std::chrono::milliseconds age) = 0;

  /// Entries in the ledger, the server's whole truth.
  virtual size_t unacknowledged() = 0;

  /// Messages that wait to be due and are in no ledger.
  virtual size_t delayed() {
    return 0;
  }

  // -- what is another way on some -----------------------------------------------

  /// Whether 0 is the most urgent priority; if not, the highest number is.
  virtual bool zero_is_urgent() const {
    return true;
  }

  /// Whether what an owner held comes back by `recover`, when its lease is gone.
  virtual bool has_leases() const {
    return true;
  }

  /// Whether who waits for a message has it, reserved, when that comes.
  virtual bool waits_by_reserving() const {
    return false;
  }

  /// What `publish` returns when so many queues have got it.
  virtual size_t told(size_t queues) const {
    return queues;
  }

  /// Whether a payload is what was published.
  virtual bool same(const std::string& x, const std::string& y) const {
    return x == y;
  }

  /// Ids of different priorities in the order in which they come.
  std::vector<std::string> urgent_first(std::vector<std::string> by_number) const {
    if (!zero_is_urgent())
      std::reverse(by_number.begin(), by_number.end());
    return by_number;
  }

  // -- connections ------------------------------------------------------------

  /// Options of the first life of a node.
  broker_options options(const std::string& node,
                         std::vector<std::string> queues = {"q"}) const {
    broker_options result;
    result.node = node_name{node};
    result.incarnation = node + "-first";
    for (auto& queue : queues)
      result.queues.emplace_back(std::move(queue));
    result.lease = lease();
    result.result_url = result_url();
    return result;
  }

  virtual std::unique_ptr<broker> connect(const broker_options& options) const {
    return connect_broker(url(), options).value();
  }

  std::unique_ptr<broker> connect(const std::string& node) const {
    return connect(options(node));
  }

  std::unique_ptr<result_store> results() const {
    return connect_result_store(result_url(), {}).value();
  }

  // -- time -------------------------------------------------------------------

  /// Repeats `done` until it says true. @returns false after a time that is
  /// long enough for everything that a scenario waits for, on a busy machine too.
  bool eventually(const std::function<bool()>& done) {
    auto deadline =
        now() + std::max<std::chrono::milliseconds>(20 * lease(), 1min);
    for (;;) {
      if (done())
        return true;
      if (now() > deadline)
        return false;
      moment();
    }
  }

  /// Repeats `action` until `duration` has passed.
  void meanwhile(std::chrono::milliseconds duration,
                 const std::function<void()>& action) {
    for (auto end = now() + duration; now() <= end; moment())
      action();
  }
};

/// A world with real servers or files, where time cannot be made to pass.
class real_world : public world {
public:
  std::chrono::milliseconds lease() const override {
    return 250ms;
  }

  void moment() override {
    std::this_thread::sleep_for(5ms);
  }

  std::chrono::milliseconds now() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
  }
};

// -- messages -----------------------------------------------------------------

/// A message as kombu writes it; `text` travels in a header.
inline std::string message(const std::string& id, int priority = 0,
                           const std::string& queue = "q",
                           const std::string& text = {}) {
  json::object info{{"exchange", ""}, {"routing_key", queue}};
  return json::serialize(json::object{
      {"body", "W1tdLCB7fSwgbnVsbF0="},
      {"content-encoding", "utf-8"},
      {"content-type", "application/json"},
      {"headers", {{"lang", "py"}, {"task", "t"}, {"id", id}, {"text", text}}},
      {"properties",
       {{"correlation_id", id},
        {"delivery_mode", 2},
        {"delivery_info", info},
        {"priority", priority},
        {"body_encoding", "base64"},
        {"delivery_tag", "publisher-" + id}}}});
}

inline std::string id_of(const std::string& payload) {
  auto doc = json::parse(payload);
  return std::string{doc.at("headers").at("id").as_string()};
}

inline bool is_redelivered(const std::string& payload) {
  auto doc = json::parse(payload);
  auto* mark = doc.at("headers").as_object().if_contains("redelivered");
  return mark && mark->is_bool() && mark->as_bool();
}

inline std::vector<std::string> ids_of(const std::vector<delivery>& xs) {
  std::vector<std::string> result;
  for (auto& x : xs)
    result.push_back(id_of(x.payload));
  return result;
}

inline outgoing_message to(const std::string& queue, const std::string& id,
                           int priority = 0) {
  return {queue_name{queue}, priority, message(id, priority, queue)};
}

/// Publishes messages to the queue "q", in this order.
inline void publish(broker& x, const std::vector<std::string>& ids) {
  std::vector<outgoing_message> batch;
  for (auto& id : ids)
    batch.push_back(to("q", id));
  x.publish(batch).value();
}

inline result_record success(const std::string& id,
                             const std::string& value = "1") {
  return {task_id{id}, R"({"status": "SUCCESS", "result": )" + value
                           + R"(, "task_id": ")" + id + R"("})"};
}

// -- settlements --------------------------------------------------------------

inline settlement settled(const delivery& x,
                          disposition how = disposition::ack) {
  settlement result;
  result.tag = x.tag;
  result.how = how;
  result.queue = x.queue;
  return result;
}

/// One settlement alone. @returns whether it took effect.
inline bool settle(broker& x, const settlement& s) {
  auto effects = x.settle({&s, 1}).value();
  if (effects.size() != 1)
    throw std::logic_error("one effect expected for each settlement");
  return effects.front();
}

inline std::vector<delivery> reserve(broker& x, size_t max = 100) {
  return x.reserve(max).value();
}

/// What is left in a queue, taken out of it.
inline std::vector<std::string> drain(world& w, const std::string& queue) {
  auto options = w.options("drain", {queue});
  options.incarnation = make_uuid();
  auto x = w.connect(options);
  std::vector<std::string> result;
  for (;;) {
    auto batch = reserve(*x);
    if (batch.empty())
      return result;
    for (auto& y : batch) {
      result.push_back(id_of(y.payload));
      settle(*x, settled(y));
    }
  }
}

} // namespace umbel::test
