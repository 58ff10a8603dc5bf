// Where a task goes, as Celery's Router.route and send_task_message decide it.
#define CAF_SUITE routing

#include "tests/unit/dsl.hpp"

#include "protocol/canvas/applier.hpp"
#include "protocol/canvas/routing.hpp"

using namespace umbel;

namespace {

routing parsed(std::string_view settings) {
  return parse_routing(parse_json(settings).value().as_object()).value();
}

/// "exchange/key" or "queue", and the priority if it is not 0.
std::string way(const routing& x, std::string_view options = "{}",
                std::string_view task = "t") {
  task_call call;
  call.task = task;
  auto done = x.address(call, parse_json(options).value().as_object());
  if (!done)
    return done.error().what;
  auto to = call.exchange.empty()
              ? call.queue
              : call.exchange + '/' + call.routing_key
                  + (call.queue.empty() ? "" : " (" + call.queue + ')');
  if (call.priority != 0)
    to += ':' + std::to_string(call.priority);
  return to;
}

constexpr auto zoo = R"({"task_queues": [
  {"name": "celery"},
  {"name": "cats", "exchange": "zoo", "exchange_type": "topic",
   "routing_key": "animal.cat.#"},
  {"name": "everyone", "exchange": "everyone", "exchange_type": "fanout"}],
  "task_routes": {"cat.*": {"queue": "cats"},
                  "cat.wild": {"queue": "cats", "routing_key": "animal.cat.lion"},
                  "raw": {"exchange": "x", "routing_key": "k"},
                  "typed": {"exchange": "x", "exchange_type": "topic"},
                  "first": {"priority": 9}}})";

} // namespace

CAF_TEST(nothing is said) {
  CAF_CHECK_EQUAL(way({}), "celery");
  CAF_CHECK_EQUAL(way(parsed(R"({"task_default_queue": "mine"})")), "mine");
}

CAF_TEST(the call outranks its route and the route the defaults) {
  auto x = parsed(R"({"task_routes": {"t": {"queue": "q", "priority": 3}},
                      "task_default_priority": 5})");
  CAF_CHECK_EQUAL(way(x), "q:3");
  CAF_CHECK_EQUAL(way(x, R"({"queue": "other"})"), "other:3");
  CAF_CHECK_EQUAL(way(x, R"({"priority": 6})"), "q:6");
  CAF_CHECK_EQUAL(way(x, R"({"queue": null, "priority": null})"), "q:3");
  CAF_CHECK_EQUAL(way(x, "{}", "u"), "celery:5");
}

CAF_TEST(queues behind exchanges) {
  auto x = parsed(zoo);
  CAF_CHECK_EQUAL(way(x, "{}", "cat.tame"), "zoo/animal.cat.# (cats)");
  CAF_CHECK_EQUAL(way(x, "{}", "cat.wild"), "zoo/animal.cat.lion (cats)");
  CAF_CHECK_EQUAL(way(x, R"({"routing_key": "animal.cat.x"})", "cat.tame"),
                  "zoo/animal.cat.x (cats)");
  // Brokers know the way to what is broadcast by its name.
  CAF_CHECK_EQUAL(way(x, R"({"queue": "everyone"})"), "everyone");
  // A route without a queue leaves the default one out.
  CAF_CHECK_EQUAL(way(x, "{}", "raw"), "x/k");
  CAF_CHECK_EQUAL(way(x, "{}", "typed"), "x/");
  CAF_CHECK_EQUAL(way(x, "{}", "first"), "celery:9");
}

CAF_TEST(a key alone says nothing where exchanges are direct) {
  CAF_CHECK_EQUAL(way({}, R"({"routing_key": "k"})"), "celery");
  CAF_CHECK_EQUAL(way({}, R"({"exchange": "x"})"), "celery");
  CAF_CHECK_EQUAL(way({}, R"({"exchange": "x", "routing_key": "k"})"),
                  "x/k (celery)");
  CAF_CHECK_EQUAL(way({}, R"({"queue": "q", "routing_key": "k"})"), "q");
}

CAF_TEST(queues that are not known) {
  auto x = parsed(R"({"task_create_missing_queues": false,
                      "task_queues": [{"name": "celery"}, {"name": "b"}]})");
  CAF_CHECK_EQUAL(way(x), "celery");
  CAF_CHECK_EQUAL(way(x, R"({"queue": "b"})"), "b");
  CAF_CHECK_EQUAL(way(x, R"({"queue": "c"})"),
                  "Queue 'c' missing from task_queues");
  // Without task_queues there is the default one.
  x = parsed(R"({"task_create_missing_queues": false})");
  CAF_CHECK_EQUAL(way(x), "celery");
  CAF_CHECK_EQUAL(way(x, R"({"queue": "c"})"),
                  "Queue 'c' missing from task_queues");
}

CAF_TEST(the form of the message and headers) {
  auto x = parsed(R"({"task_routes": {"t": {"serializer": "yaml",
                      "compression": "zlib", "headers": {"h": 1}}}})");
  task_call call;
  call.task = "t";
  call.form.serializer = serializer::msgpack;
  CAF_CHECK(x.address(call, {}));
  CAF_CHECK(call.form.serializer == serializer::yaml);
  CAF_CHECK(call.form.compression == compression::zlib);
  CAF_CHECK_EQUAL(to_json(call.headers), R"({"h": 1})");
  task_call other;
  other.task = "t";
  CAF_CHECK(x.address(other, {{"serializer", "json"}, {"headers", {{"g", 1}}}}));
  CAF_CHECK(other.form.serializer == serializer::json);
  CAF_CHECK(other.headers.empty());
}

CAF_TEST(the priority of the task that sends it) {
  task_call call;
  CAF_CHECK(routing{}.address(call, {}, 7));
  CAF_CHECK_EQUAL(call.priority, 0);
  auto x = parsed(R"({"task_inherit_parent_priority": true})");
  CAF_CHECK(x.address(call, {}, 7));
  CAF_CHECK_EQUAL(call.priority, 7);
  CAF_CHECK(x.address(call, {{"priority", 2}}, 7));
  CAF_CHECK_EQUAL(call.priority, 2);
}

CAF_TEST(the delivery mode) {
  auto mode = [](const routing& x, json::object options = {}) {
    task_call call;
    call.task = "t";
    CAF_REQUIRE(x.address(call, options));
    auto sent = parse_envelope(make_task_message(call)).value();
    return sent.properties.at("delivery_mode").as_int64();
  };
  CAF_CHECK_EQUAL(mode({}), 2);
  CAF_CHECK_EQUAL(mode({}, {{"delivery_mode", 1}}), 1);
  CAF_CHECK_EQUAL(mode({}, {{"delivery_mode", "transient"}}), 1);
  auto x = parsed(R"({"task_default_delivery_mode": 1, "task_queues": [
    {"name": "celery"}, {"name": "kept", "delivery_mode": 2},
    {"name": "lost", "delivery_mode": "transient"}]})");
  CAF_CHECK_EQUAL(mode(x), 1);
  CAF_CHECK_EQUAL(mode(x, {{"delivery_mode", "persistent"}}), 2);
  CAF_CHECK_EQUAL(mode(x, {{"queue", "kept"}}), 2);
  CAF_CHECK_EQUAL(mode(x, {{"queue", "kept"}, {"delivery_mode", 1}}), 1);
  x = parsed(R"({"task_queues": [{"name": "q", "delivery_mode": 2}],
                 "task_routes": {"t": {"queue": "q", "delivery_mode": 1}}})");
  CAF_CHECK_EQUAL(mode(x), 1);
  CAF_CHECK_EQUAL(mode(x, {{"delivery_mode", 2}}), 2);
  CAF_CHECK(!router::parse(parse_json(R"({"t": {"delivery_mode": 3}})").value()));
}

CAF_TEST(the exchange of a queue that is not known) {
  auto x = parsed(R"({"task_create_missing_queue_exchange_type": "topic",
                      "task_queues": [{"name": "celery"}]})");
  CAF_CHECK_EQUAL(way(x), "celery");
  CAF_CHECK_EQUAL(way(x, R"({"queue": "q"})"), "q/q (q)");
}

CAF_TEST(the message knows its exchange) {
  auto x = parsed(zoo);
  canvas::application made;
  canvas::origin from;
  from.routing = &x;
  canvas::applier{made, from}.apply({.task = "cat.wild"});
  CAF_REQUIRE_EQUAL(made.publish.size(), 1u);
  auto& message = made.publish[0];
  CAF_CHECK_EQUAL(message.exchange, "zoo");
  CAF_CHECK_EQUAL(message.routing_key, "animal.cat.lion");
  auto info = parse_task_message(message.payload).value().properties.at("delivery_info");
  CAF_CHECK_EQUAL(to_json(info),
                  R"({"exchange": "zoo", "routing_key": "animal.cat.lion"})");
}

CAF_TEST(a part of a workflow that cannot be sent) {
  auto x = parsed(R"({"task_create_missing_queues": false})");
  canvas::application made;
  canvas::origin from;
  from.routing = &x;
  canvas::signature lost{.task = "t"};
  lost.options["queue"] = "nowhere";
  canvas::applier{made, from}.apply(
    canvas::make_group({canvas::signature{.task = "t"}, lost}));
  CAF_CHECK_EQUAL(made.publish.size(), 1u);
  CAF_CHECK(made.failure.has_value());
}
