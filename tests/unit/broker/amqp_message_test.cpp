// What needs no server: addresses, tables, envelopes, keys of delays.
#define CAF_SUITE amqp_message

#include "tests/unit/dsl.hpp"

#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/amqp/delay.hpp"
#include "protocol/broker/amqp/message.hpp"

using namespace umbel;
using namespace umbel::amqp;

namespace {

std::string text_of(const amqp_table_t& x) {
  std::string result;
  open_object(result, x);
  return result + '}';
}

/// There and back.
std::string through_table(const std::string& text) {
  pool memory;
  auto parsed = parse_json(text).value();
  return text_of(to_table(parsed.get_object(), memory));
}

amqp_field_value_t field(const std::string& json) {
  static pool memory;
  static json::value parsed;
  parsed = parse_json("{\"x\": " + json + "}").value();
  return to_table(parsed.get_object(), memory).entries[0].value;
}

/// A message as it arrives, made of one that was to be sent.
std::string arrived(const outgoing& x, bool redelivered = false,
                    std::string_view exchange = "",
                    std::string_view key = "q") {
  amqp_envelope_t result{};
  result.exchange = bytes(exchange);
  result.routing_key = bytes(key);
  result.redelivered = redelivered;
  result.message.properties = x.properties();
  result.message.body = bytes(x.body());
  return to_envelope(result, "tag");
}

} // namespace

// -- addresses ------------------------------------------------------------------

CAF_TEST(a_url_has_the_defaults_of_amqp) {
  auto x = to_addresses("amqp://").value().at(0);
  CAF_CHECK_EQUAL(x.host, "localhost");
  CAF_CHECK_EQUAL(x.port, 5672);
  CAF_CHECK_EQUAL(x.user, "guest");
  CAF_CHECK_EQUAL(x.password, "guest");
  CAF_CHECK_EQUAL(x.vhost, "/");
  CAF_CHECK(!x.tls);
  auto secure = to_addresses("amqps://h").value().at(0);
  CAF_CHECK_EQUAL(secure.port, 5671);
  CAF_CHECK(secure.tls);
}

CAF_TEST(vhosts_are_written_in_any_of_celerys_ways) {
  auto vhost = [](const char* url) {
    return to_addresses(url).value().at(0).vhost;
  };
  CAF_CHECK_EQUAL(vhost("amqp://h"), "/");
  CAF_CHECK_EQUAL(vhost("amqp://h/"), "/");
  CAF_CHECK_EQUAL(vhost("amqp://h//"), "/");
  CAF_CHECK_EQUAL(vhost("pyamqp://h/%2F"), "/");
  CAF_CHECK_EQUAL(vhost("librabbitmq://h/some"), "some");
  CAF_CHECK_EQUAL(vhost("amqp://h//some"), "/some");
}

CAF_TEST(several_urls_are_alternatives) {
  auto xs = to_addresses("amqp://u:p@a:1//;amqp://b;;amqps://c/v?heartbeat=7");
  CAF_REQUIRE(xs.has_value());
  CAF_REQUIRE_EQUAL(xs->size(), 3u);
  CAF_CHECK_EQUAL(xs->at(0).str(), "amqp://u:**@a:1//");
  CAF_CHECK_EQUAL(xs->at(1).host, "b");
  CAF_CHECK_EQUAL(xs->at(2).heartbeat.value_or(0), 7);
}

CAF_TEST(what_cannot_be_meant_is_an_error_without_the_password) {
  for (auto url : {"", ";", "amqp://h:0/", "amqp://u:secret@h;redis://h",
                   "amqp://u:secret@h?heartbeat=soon", "amqp://[::1/"}) {
    auto x = to_addresses(url);
    CAF_REQUIRE(!x.has_value());
    CAF_CHECK(x.error().code == errc::invalid_setting);
    CAF_CHECK(x.error().what.find("secret") == std::string::npos);
  }
}

CAF_TEST(files_and_login_methods_are_looked_at_before_anything_connects) {
  broker_options x;
  CAF_CHECK(check_options(x).has_value());
  x.login_method = "AMQPLAIN";
  CAF_CHECK(check_options(x).has_value());
  x.login_method = "EXTERNAL";
  CAF_CHECK(check_options(x).has_value());
  x.login_method = "GSSAPI";
  CAF_CHECK(check_options(x).error().what.find("GSSAPI")
            != std::string::npos);
  x.login_method.clear();
  x.tls.ca_certs = "/nowhere/ca.pem";
  CAF_CHECK_EQUAL(check_options(x).error().what,
                  "broker_use_ssl: ca_certs \"/nowhere/ca.pem\": No such file "
                  "or directory");
  x.tls.ca_certs.clear();
  x.tls.keyfile = "/dev/null";
  CAF_CHECK(check_options(x).error().code == errc::invalid_setting);
}

// -- tables ---------------------------------------------------------------------

CAF_TEST(numbers_have_the_types_that_py_amqp_gives_them) {
  CAF_CHECK_EQUAL(static_cast<char>(field("1").kind), 'I');
  CAF_CHECK_EQUAL(static_cast<char>(field("-2147483648").kind), 'I');
  CAF_CHECK_EQUAL(static_cast<char>(field("2147483648").kind), 'L');
  CAF_CHECK_EQUAL(static_cast<char>(field("1.0").kind), 'd');
  CAF_CHECK_EQUAL(static_cast<char>(field("true").kind), 't');
  CAF_CHECK_EQUAL(static_cast<char>(field("null").kind), 'V');
  CAF_CHECK_EQUAL(static_cast<char>(field("\"x\"").kind), 'S');
  CAF_CHECK_EQUAL(static_cast<char>(field("[1]").kind), 'A');
  CAF_CHECK_EQUAL(static_cast<char>(field("{}").kind), 'F');
}

CAF_TEST(tables_of_any_shape_come_back_as_they_were) {
  for (auto text :
       {R"({})", R"({"a": null, "b": [1, -1, 9007199254740993, -3000000000]})",
        R"({"timelimit": [null, 2.5], "stamps": {"x": {"y": [[], {}]}}})",
        R"({"text": "\u00fc \" \\ \n \u0000", "yes": true, "no": false})",
        R"({"d": {"__type__": "decimal", "__value__": "-0.05"}})",
        R"({"b": {"__type__": "base64", "__value__": "/w=="}})"})
    CAF_CHECK_EQUAL(through_table(text), text);
}

CAF_TEST(what_looks_like_a_tag_and_is_none_is_a_table) {
  for (auto text : {R"({"d": {"__type__": "decimal", "__value__": "much"}})",
                    R"({"d": {"__type__": "uuid", "__value__": "1"}})",
                    R"({"d": {"__type__": "decimal"}})"})
    CAF_CHECK_EQUAL(through_table(text), text);
}

// -- messages -------------------------------------------------------------------

CAF_TEST(an_envelope_goes_out_as_properties_headers_and_a_raw_body) {
  outgoing x;
  x.read(R"({"body": "W1tdXQ==", "content-type": "application/json",
    "content-encoding": "utf-8", "headers": {"id": "1", "eta": null},
    "properties": {"correlation_id": "1", "reply_to": "r", "priority": 7,
    "delivery_mode": 1, "expiration": "500", "body_encoding": "base64",
    "delivery_info": {"exchange": "", "routing_key": "q"}}})");
  auto& p = x.properties();
  CAF_CHECK_EQUAL(x.body(), "[[]]");
  CAF_CHECK_EQUAL(view(p.content_type), "application/json");
  CAF_CHECK_EQUAL(view(p.correlation_id), "1");
  CAF_CHECK_EQUAL(view(p.reply_to), "r");
  CAF_CHECK_EQUAL(view(p.expiration), "500");
  CAF_CHECK_EQUAL(p.delivery_mode, 1);
  CAF_CHECK_EQUAL(p.priority, 7);
  CAF_CHECK_EQUAL(text_of(p.headers), R"({"id": "1", "eta": null})");
  CAF_CHECK((p._flags & AMQP_BASIC_MESSAGE_ID_FLAG) == 0);
  x.clear_expiration();
  CAF_CHECK((x.properties()._flags & AMQP_BASIC_EXPIRATION_FLAG) == 0);
}

CAF_TEST(an_arrived_message_is_an_envelope_that_says_all_of_it) {
  outgoing x;
  x.read(R"({"body": "W1tdXQ==", "content-type": "application/json",
    "content-encoding": "utf-8", "headers": {"id": "1", "task": "t"},
    "properties": {"correlation_id": "1", "priority": 7,
    "body_encoding": "base64"}})");
  auto doc = parse_json(arrived(x)).value();
  CAF_CHECK_EQUAL(doc.at("body").as_string(), "W1tdXQ==");
  CAF_CHECK_EQUAL(doc.at("content-encoding").as_string(), "utf-8");
  CAF_CHECK_EQUAL(to_json(doc.at("headers")), R"({"id": "1", "task": "t"})");
  auto& properties = doc.at("properties");
  CAF_CHECK_EQUAL(properties.at("priority").as_int64(), 7);
  CAF_CHECK_EQUAL(properties.at("correlation_id").as_string(), "1");
  CAF_CHECK_EQUAL(properties.at("delivery_tag").as_string(), "tag");
  CAF_CHECK_EQUAL(to_json(properties.at("delivery_info")),
                  R"({"exchange": "", "routing_key": "q"})");
  doc = parse_json(arrived(x, true)).value();
  CAF_CHECK(doc.at("headers").at("redelivered").as_bool());
}

CAF_TEST(what_the_broker_has_added_does_not_go_out_again) {
  outgoing x;
  x.read(R"({"body": "", "headers": {"x-death": [{"count": 1}], "id": "1",
    "x-first-death-queue": "q", "x-delivery-count": 3}, "properties": {}})");
  CAF_CHECK_EQUAL(text_of(x.properties().headers), R"({"id": "1"})");
}

CAF_TEST(bytes_that_are_no_envelope_are_a_body) {
  outgoing x;
  x.read("no json");
  CAF_CHECK_EQUAL(x.body(), "no json");
  auto doc = parse_envelope(arrived(x)).value();
  CAF_CHECK_EQUAL(doc.body, "no json");
  CAF_CHECK(doc.headers.empty());
}

// -- delays ---------------------------------------------------------------------

CAF_TEST(a_delay_stands_in_the_routing_key_in_binary) {
  CAF_CHECK_EQUAL(delay_key(5, "q.r"),
                  "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.q.r");
  CAF_CHECK_EQUAL(delay_key(delay_max, "q").substr(0, 6), "1.1.1.");
  CAF_CHECK_EQUAL(level_pattern(27, true), "1.#");
  CAF_CHECK_EQUAL(level_pattern(25, false), "*.*.0.#");
}

CAF_TEST(a_message_that_waited_seems_to_come_from_its_queue) {
  auto key = delay_key(5, "q.r");
  CAF_CHECK(undelayed(delay_exit, key)
            == (std::pair<std::string_view, std::string_view>{"", "q.r"}));
  CAF_CHECK(undelayed("other", key)
            == (std::pair<std::string_view, std::string_view>{"other", key}));
}
