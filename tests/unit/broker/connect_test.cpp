#define CAF_SUITE connect

#include "tests/unit/dsl.hpp"

#include "protocol/backend/result_store.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/scheme_advice.hpp"

using namespace umbel;

CAF_TEST(the_scheme_chooses_the_broker) {
  auto x = connect_broker("memory://connect-test/", {});
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL((*x)->location(), "memory://connect-test");
}

CAF_TEST(an_unknown_scheme_is_an_invalid_setting_that_names_the_known_ones) {
  for (auto url : {"kafka://user:secret@h", "localhost:6379", ""}) {
    auto x = connect_broker(url, {});
    CAF_REQUIRE(!x.has_value());
    CAF_CHECK(x.error().code == errc::invalid_setting);
    for (auto known : {"redis://", "redis+socket://", "memory://"})
      CAF_CHECK(x.error().what.find(known) != std::string::npos);
    CAF_CHECK(x.error().what.find("secret") == std::string::npos);
  }
  auto y = connect_result_store("couchdb://user:secret@h", {});
  CAF_REQUIRE(!y.has_value());
  CAF_CHECK(y.error().code == errc::invalid_setting);
  CAF_CHECK(y.error().what.find("disabled://") != std::string::npos);
  CAF_CHECK(y.error().what.find("couchdb") != std::string::npos);
  CAF_CHECK(y.error().what.find("secret") == std::string::npos);
}

CAF_TEST(who_writes_what_celery_knows_is_told_what_to_write) {
  auto check = [](const error& x, const char* advice) {
    CAF_CHECK(x.code == errc::invalid_setting);
    if (x.what.find(advice) == std::string::npos)
      CAF_ERROR(x.what << " does not say " << advice);
    CAF_CHECK(x.what.find("secret") == std::string::npos);
    CAF_CHECK(x.what.find('\n') == std::string::npos);
  };
  const std::pair<const char*, const char*> advice[] = {
      {"db+sqlite:///x.db", "file:///folder"},
      {"database+postgresql://user:secret@h/d", "sqlite:///path"},
      {"sqla+postgresql://user:secret@h/d", "sqla+sqlite:///path"},
      {"sqlalchemy:///x.db", "sqla+sqlite:///path"},
      {"sqlite3:///x.db", "write sqlite:///path"},
      {"sentinel://:secret@h:26379", "write redis://"},
      {"rabbitmq://user:secret@h", "write amqp://"}};
  for (auto& [url, what] : advice) {
    check(connect_broker(url, {}).error(), what);
    check(connect_result_store(url, {}).error(), what);
  }
  // All that mean what they say.
  CAF_CHECK_EQUAL(advice_on_scheme("sqlite"), "");
  CAF_CHECK_EQUAL(advice_on_scheme("redis"), "");
}

CAF_TEST(connections_to_one_name_share_it_and_other_names_do_not) {
  broker_options options;
  options.node = node_name{"a@h"};
  options.incarnation = "i";
  options.queues = {queue_name{"q"}};
  auto a = connect_broker("memory://one", options).value();
  auto b = connect_broker("memory://one", options).value();
  auto c = connect_broker("memory://two", options).value();
  options.global_keyprefix = "prefix";
  auto d = connect_broker("memory://one", options).value();
  outgoing_message x{queue_name{"q"}, 0, "{}"};
  CAF_CHECK(a->publish({&x, 1}).has_value());
  CAF_CHECK_EQUAL(b->size(x.queue).value(), 1u);
  CAF_CHECK_EQUAL(c->size(x.queue).value(), 0u);
  CAF_CHECK_EQUAL(d->size(x.queue).value(), 0u);
  // A name outlives its connections, as a server does.
  a.reset();
  b.reset();
  options.global_keyprefix.clear();
  a = connect_broker("memory://one", options).value();
  CAF_CHECK_EQUAL(a->reserve(9).value().size(), 1u);
}

CAF_TEST(a_memory_broker_refuses_results_that_belong_elsewhere) {
  auto x = connect_broker("memory://refuses", {}).value();
  CAF_CHECK(!x->stores_results());
  settlement s;
  s.how = disposition::none;
  s.publish = {{queue_name{"q"}, 0, "{}"}};
  s.result = result_record{task_id{"1"}, "{}"};
  auto done = x->settle({&s, 1});
  CAF_REQUIRE(!done.has_value());
  CAF_CHECK(done.error().code == errc::unsupported);
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 0u);
}
