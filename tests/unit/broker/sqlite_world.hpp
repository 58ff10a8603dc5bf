// A file of its own for each scenario. Time is real: leases are short, and
// scenarios wait for conditions.
#pragma once

#include "protocol/broker/sqlite/database.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "tests/unit/broker/sqlite_file.hpp"
#include "tests/unit/broker/world.hpp"


namespace umbel::test {

class sqlite_world : public real_world {
public:
  using world::connect;

  std::string url() const override {
    return file_.url();
  }

  std::unique_ptr<broker>
  connect(const broker_options& options) const override {
    return connect_broker(patient_url(), options).value();
  }

  /// The same for those who may have to wait for others long, on a busy machine.
  std::string patient_url() const {
    return url() + "?timeout=60";
  }

  void bind(const std::string& exchange, const std::string& key, bool topic,
            const queue_name& queue) override {
    auto db = open();
    db->run(sqlite::sql::bind, exchange, key, topic, queue.str());
    db->outcome("bind").value();
  }

  void plant(const delivery_tag& tag, const queue_name& queue,
             const std::string& payload,
             std::chrono::milliseconds age) override {
    auto db = open();
    auto priority =
        json::parse(payload).at("properties").at("priority").as_int64();
    db->run(sqlite::sql::add_message, queue.str(), priority / 3 * 3,
            sqlite::blob{payload});
    auto message = db->last_id();
    auto owner = db->number(sqlite::sql::extend_lease, tag.str(),
                            std::optional<int64_t>{});
    db->run(sqlite::sql::add_reserved, owner.value(), 0, message,
            std::chrono::microseconds{now() - age}.count());
    db->outcome("plant").value();
  }

  size_t unacknowledged() override {
    auto db = open();
    // One look: others may be at work.
    auto found = db->select("SELECT (SELECT count(*) FROM message),"
                            " (SELECT count(*) FROM waiting),"
                            " (SELECT count(*) FROM reserved)"
                            " + (SELECT count(*) FROM delayed)");
    found.next();
    if (found.integer(0) != found.integer(1) + found.integer(2))
      throw std::logic_error("a message is nowhere, or in two places");
    return static_cast<size_t>(found.integer(2));
  }

  std::unique_ptr<sqlite::database> open() const {
    return sqlite::open_database(url(), {}).value();
  }

protected:
  sqlite_file file_;
};

} // namespace umbel::test
