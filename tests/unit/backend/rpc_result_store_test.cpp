#define CAF_SUITE rpc_result_store

#include "tests/unit/dsl.hpp"

#include "protocol/backend/document.hpp"
#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/rpc/rpc_result_store.hpp"
#include "protocol/message/envelope.hpp"

using namespace umbel;

namespace {

struct fixture {
  fixture() {
    broker_options options;
    options.node = node_name{"test@host"};
    options.incarnation = "1";
    options.queues = {queue_name{"client"}};
    auto opened = connect_broker("memory://" + make_uuid(), options);
    CAF_REQUIRE(opened.has_value());
    where = std::move(*opened);
    CAF_REQUIRE(where->declare(options.queues).has_value());
  }

  std::unique_ptr<broker> where;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(rpc_tests, fixture)

CAF_TEST(a result goes to the queue of its sender) {
  rpc_result_store results{*where, serializer::msgpack};
  meta document;
  document.status = "SUCCESS";
  document.task_id = "id";
  auto text = to_document(document, serializer::msgpack);
  const result_record batch[] = {{task_id{"id"}, text, "client"},
                                 {task_id{"none"}, text, ""}};
  CAF_REQUIRE(results.store(batch).has_value());
  auto arrived = where->reserve(10);
  CAF_REQUIRE(arrived.has_value());
  CAF_REQUIRE_EQUAL(arrived->size(), 1u); // nobody waits for the other
  auto x = parse_envelope(arrived->front().payload);
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->body, text);
  CAF_CHECK_EQUAL(x->content_type, "application/x-msgpack");
  CAF_CHECK_EQUAL(x->content_encoding, "binary");
  CAF_CHECK_EQUAL(x->properties.at("correlation_id").as_string(), "id");
  CAF_CHECK_EQUAL(x->properties.at("delivery_mode").as_int64(), 1);
}

CAF_TEST(nothing is kept) {
  rpc_result_store results{*where, serializer::json};
  CAF_CHECK(!results.fetch(task_id{"id"}).value());
  CAF_CHECK(results.forget(task_id{"id"}).has_value());
  auto listener = connect_result_listener("rpc://", {});
  CAF_REQUIRE(!listener);
  CAF_CHECK(listener.error().code == errc::unsupported);
  CAF_CHECK(connect_result_store("rpc://", {}).error().code
            == errc::unsupported);
}

CAF_TEST(names of the scheme) {
  CAF_CHECK(is_rpc("rpc://"));
  CAF_CHECK(is_rpc("rpc"));
  CAF_CHECK(!is_rpc("redis://rpc:6379"));
  CAF_CHECK(!is_rpc(""));
}

CAF_TEST_FIXTURE_SCOPE_END()
