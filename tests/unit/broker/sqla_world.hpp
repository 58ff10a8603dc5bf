// A file whose queues are the tables of kombu's SQLAlchemy transport. Time is real, as
// in the sqlite world.
#pragma once

#include "tests/unit/broker/sqlite_world.hpp"

namespace umbel::test {

class sqla_world : public sqlite_world {
public:
  std::string url() const override {
    return "sqla+sqlite:///" + file_.path();
  }
};

} // namespace umbel::test
