// The forms in which things stand in Redis: keys, bindings, ledger entries.
#define CAF_SUITE redis_names

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/binding.hpp"
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/entry.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

using namespace umbel;
using namespace umbel::redis;

using strings = std::vector<std::string>;

// -- keys ---------------------------------------------------------------------

CAF_TEST(a_priority_belongs_to_the_largest_step_not_above_it) {
  keys x{broker_options{}};
  const std::string three = "q\x06\x16"
                            "3";
  CAF_CHECK_EQUAL(x.list("q", 0), "q");
  CAF_CHECK_EQUAL(x.list("q", 2), "q");
  CAF_CHECK_EQUAL(x.list("q", 3), three);
  CAF_CHECK_EQUAL(x.list("q", 5), three);
  CAF_CHECK_EQUAL(x.list("q", 9), "q\x06\x16"
                                  "9");
  CAF_CHECK_EQUAL(x.list("q", -4), "q");
  CAF_CHECK_EQUAL(x.list("q", 99), "q\x06\x16"
                                   "9");
  CAF_CHECK_EQUAL(x.lists("q").size(), 4u);
}

CAF_TEST(separator_steps_and_prefix_are_settings) {
  broker_options options;
  options.sep = ":";
  options.priority_steps = {5, 0};
  options.global_keyprefix = "p.";
  keys x{options};
  CAF_CHECK_EQUAL(x.lists("q"), (strings{"p.q", "p.q:5"}));
  CAF_CHECK_EQUAL(x.binding("e"), "p._kombu.binding.e");
  CAF_CHECK_EQUAL(x.fanout(2, "celery.pidbox", ""), "p./2.celery.pidbox");
  CAF_CHECK_EQUAL(x.fanout(0, "celeryev", "task.multi"),
                  "p./0.celeryev/task.multi");
  CAF_CHECK_EQUAL(x.dead("q"), "p.umbel.dead.q");
  options.priority_steps.clear();
  CAF_CHECK_EQUAL(keys{options}.lists("q"), (strings{"p.q"}));
}

// -- bindings -----------------------------------------------------------------

// Expectations are those of Python's re.match on kombu's patterns.
CAF_TEST(topics_match_as_kombus_expressions_do) {
  CAF_CHECK(topic_matches("a.b", "a.b"));
  CAF_CHECK(!topic_matches("a.b", "axb"));
  CAF_CHECK(!topic_matches("a.b", "a.b.c"));
  CAF_CHECK(!topic_matches("a.b", "a"));
  CAF_CHECK(topic_matches("a.*", "a.b"));
  CAF_CHECK(topic_matches("a.*", "a.b.c"));
  CAF_CHECK(!topic_matches("a.*", "a."));
  CAF_CHECK(!topic_matches("a.*", "a.b."));
  CAF_CHECK(topic_matches("*.b", "a.b"));
  CAF_CHECK(!topic_matches("*.b", ".b"));
  CAF_CHECK(topic_matches("a.#", "a."));
  CAF_CHECK(topic_matches("a.#", "a.b.c"));
  CAF_CHECK(!topic_matches("a.#", "a"));
  CAF_CHECK(topic_matches("#", ""));
  CAF_CHECK(topic_matches("#", "any.thing"));
  CAF_CHECK(!topic_matches("*", ""));
  CAF_CHECK(topic_matches("#.x.#", "a.x.b.x.c"));
  CAF_CHECK(!topic_matches("#.x.#", "a.y.b"));
  CAF_CHECK(topic_matches("a#", "a#")); // part of a word: no wildcard
  CAF_CHECK(!topic_matches("a#", "ab"));
}

CAF_TEST(members_of_a_binding_set_lead_to_queues) {
  const std::vector<std::string_view> members{
      "red||q", "blue||r", "re.*|^re\\..*?[^\\.]$|s", "red||q", "broken",
      "x|y",    "red||"};
  CAF_CHECK_EQUAL(route(members, "|", "red"), (strings{"q"}));
  CAF_CHECK_EQUAL(route(members, "|", "re.d"), (strings{"s"}));
  CAF_CHECK_EQUAL(route(members, "|", "green"), strings{});
}

// -- entries ------------------------------------------------------------------

CAF_TEST(an_entry_is_taken_apart_whatever_the_payload) {
  for (std::string payload :
       {R"({"a": "b"})", "", "no json", R"([1, "x", "y"])", "\"]", "\\\"",
        R"({"x": "\", \"", "y"]"})", "\xff\xfe"})
    for (std::string queue :
         {"celery", "with \"quotes\" and \\", "\u00fc, [x]", "\\", "\"", ""}) {
      auto text = '[' + payload + entry_ending(queue);
      auto x = split_entry(text);
      CAF_REQUIRE(x.has_value());
      CAF_CHECK_EQUAL(x->payload, payload);
      CAF_CHECK_EQUAL(x->exchange, "");
      CAF_CHECK_EQUAL(x->routing_key, queue);
    }
}

CAF_TEST(entries_of_python_peers_are_understood) {
  auto x = split_entry(R"([{"body": "x"}, "topic", "a.b"])");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->payload, R"({"body": "x"})");
  CAF_CHECK_EQUAL(x->exchange, "topic");
  CAF_CHECK_EQUAL(x->routing_key, "a.b");
  x = split_entry("[{}, null,\"q\" ]\n");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->exchange, "");
  CAF_CHECK_EQUAL(x->routing_key, "q");
}

CAF_TEST(what_is_no_entry_is_not_taken_for_one) {
  for (auto text :
       {"", "[]", "\"]", "[\"a\"]", "{}, \"\", \"q\"]", "[{}, \"\", \"q\"",
        "[{}, 1, \"q\"]", "[{} \"\", \"q\"]", "[{}, \"\" \"q\"]", "\", \"\"]"})
    CAF_CHECK(!split_entry(text));
}

CAF_TEST(the_priority_is_read_from_the_properties) {
  auto of = [](const std::string& priority) {
    return priority_of(R"({"properties": {"priority": )" + priority + "}}");
  };
  CAF_CHECK_EQUAL(of("4"), 4);
  CAF_CHECK_EQUAL(of("12"), 9);
  CAF_CHECK_EQUAL(of("-3"), 0);
  CAF_CHECK_EQUAL(of("null"), 0);
  CAF_CHECK_EQUAL(of("\"4\""), 0);
  CAF_CHECK_EQUAL(priority_of("no json"), 0);
  CAF_CHECK_EQUAL(priority_of("[]"), 0);
}

CAF_TEST(bindings_are_what_kombu_writes) {
  using strings = std::vector<std::string>;
  auto members = [](const std::string& type, const std::string& key) {
    return redis::binding_members({"e", type, key}, "q", "|");
  };
  CAF_CHECK_EQUAL(members("direct", "k"), (strings{"k||q"}));
  CAF_CHECK_EQUAL(redis::binding_members({"celery", "direct", "celery"},
                                         "celery", "\x06\x16"),
                  (strings{"celery\x06\x16\x06\x16" "celery"}));
  CAF_CHECK_EQUAL(members("topic", "animal.#"),
                  (strings{R"(animal.#|^animal\..*?$|q)"}));
  CAF_CHECK_EQUAL(members("topic", "*.b_c"),
                  (strings{R"(*.b_c|^.*?[^\.]\.b\_c$|q)"}));
  CAF_CHECK_EQUAL(members("fanout", "celery"),
                  (strings{"||q", "celery||q"}));
}

// -- dead letters -------------------------------------------------------------

CAF_TEST(dead_letters_are_json_and_come_back_byte_for_byte) {
  for (std::string payload : {"{\"a\": 1}", "", "\xff\x00\x80", "\u00fc\n"}) {
    auto text = redis::to_text(dead_letter{"why \u00fc", payload});
    auto value = parse_json(text).value(); // throws if it is none
    CAF_CHECK(value.as_object().contains("at"));
    auto back = parse_dead_letter(text);
    CAF_CHECK_EQUAL(back.reason, "why \u00fc");
    CAF_CHECK(back.payload == payload);
  }
  CAF_CHECK_EQUAL(parse_dead_letter("something else").payload,
                  "something else");
}
