// Signatures as Python's are written, and what is made of them.
#define CAF_SUITE signature

#include "tests/unit/dsl.hpp"

#include "protocol/canvas/applier.hpp"

using namespace umbel;
using namespace umbel::canvas;

namespace {

canvas::signature task(const char* name, json::array args = {}) {
  canvas::signature to{.task = name};
  to.args = std::move(args);
  return to;
}

std::string text(const canvas::signature& x) {
  return to_json(to_json_value(x));
}

/// What Celery 5.2.6 writes.
const std::string add_1
  = R"({"task": "add", "args": [1], "kwargs": {}, "options": {}, )"
    R"("subtask_type": null, "immutable": false})";

std::string of_several(const std::string& kind, const std::string& kwargs) {
  return R"({"task": "celery.)" + kind + R"(", "args": [], "kwargs": )" + kwargs
         + R"(, "options": {}, "subtask_type": ")" + kind
         + R"(", "immutable": false})";
}

canvas::signature parsed(const std::string& from) {
  return parse_signature(parse_json(from).value()).value();
}

bool is_refused(const std::string& from) {
  auto x = parse_signature(parse_json(from).value());
  return !x && x.error().code == errc::malformed;
}

} // namespace

CAF_TEST(they are written as Python writes them) {
  auto x = task("add", {1});
  CAF_CHECK_EQUAL(text(x), add_1);
  CAF_CHECK_EQUAL(text(x | x), of_several("chain", R"({"tasks": [)" + add_1
                                                     + ", " + add_1 + "]}"));
  auto list = "[" + add_1 + ", " + add_1 + "]";
  auto both = make_group({x, x});
  CAF_CHECK_EQUAL(text(both), of_several("group", R"({"tasks": )" + list + "}"));
  auto chord = of_several("chord", R"({"kwargs": {}, "header": )" + list
                                     + R"(, "body": )" + add_1 + "}");
  CAF_CHECK_EQUAL(text(make_chord(both, x)), chord);
  CAF_CHECK_EQUAL(text(both | x), chord);
  CAF_CHECK_EQUAL(
    text(make_xmap(task("add", {1}), {1, 2})),
    R"({"task": "celery.map", "args": [], "kwargs": {"task": )" + add_1
      + R"(, "it": [1, 2]}, "options": {}, "subtask_type": null, )"
        R"("immutable": true})");
}

CAF_TEST(what is written can be read) {
  auto x = task("add", {1});
  auto group = make_group({x, x | x});
  for (auto& y : {x, x | x, group, group | x, x | group | x})
    CAF_CHECK_EQUAL(text(parsed(text(y))), text(y));
}

CAF_TEST(one after the other as in Python) {
  auto x = task("add", {1});
  auto group = make_group({x, x});
  auto chain = x | group | x; // the group is the header of a chord now
  CAF_REQUIRE_EQUAL(chain.tasks().size(), 2u);
  CAF_CHECK(chain.tasks()[1].kind == kind::chord);
  auto longer = chain | x; // which goes on with the body
  CAF_REQUIRE_EQUAL(longer.tasks().size(), 2u);
  CAF_CHECK_EQUAL(longer.tasks()[1].body().tasks().size(), 2u);
  CAF_CHECK_EQUAL((x | (x | x)).tasks().size(), 3u);
}

CAF_TEST(what is none is refused with a reason) {
  for (auto bad :
       {"7", "{}", R"({"task": 7})", R"({"task": "t", "args": {}})",
        R"({"task": "t", "kwargs": []})", R"({"task": "t", "options": 7})",
        R"({"task": "t", "subtask_type": "group"})",
        R"({"task": "t", "subtask_type": "chain", "kwargs": {"tasks": [7]}})",
        R"({"task": "t", "subtask_type": "chord", "kwargs": {"header": []}})",
        R"({"task": "t", "subtask_type": "chunks",
            "kwargs": {"task": {"task": "t"}, "it": [], "n": 0}})"})
    CAF_CHECK(is_refused(bad));
  std::string deep = add_1;
  for (size_t i = 0; i <= depth_max; ++i)
    deep = of_several("group", R"({"tasks": [)" + deep + "]}");
  CAF_CHECK(is_refused(deep));
}

CAF_TEST(freezing gives everything an id and keeps those that are there) {
  auto x = task("add") | make_group({task("add"), task("add")}) | task("sum");
  auto result = freeze(x);
  auto again = x;
  CAF_CHECK_EQUAL(to_json(freeze(again)), to_json(result));
  CAF_CHECK_EQUAL(text(again), text(x));
  auto body = x.tasks()[1].body();
  CAF_CHECK_EQUAL(body.option("task_id"),
                  std::string{result.at(0).at(0).as_string()});
  auto header = x.tasks()[1].tasks();
  CAF_CHECK(!header_id(x.tasks()[1]).empty());
  CAF_CHECK_EQUAL(header[1].option("group_id"), ""); // who applies it knows
  CAF_CHECK_EQUAL(header[1].find_option("group_index")->as_int64(), 1);
}

CAF_TEST(the parts of a chord are counted as Celery counts them) {
  auto x = task("t");
  auto group = make_group({x, x});
  CAF_CHECK_EQUAL(count_parts(x), 1u);
  CAF_CHECK_EQUAL(count_parts(group), 2u);
  CAF_CHECK_EQUAL(count_parts(x | group), 2u);
  CAF_CHECK_EQUAL(count_parts(group | x), 1u);
  CAF_CHECK_EQUAL(count_parts(make_group({group, x | x})), 3u);
}

CAF_TEST(a chord is its header and what is known of it) {
  application made;
  origin from;
  applier out{made, from};
  out.apply(make_group({task("a"), task("b") | make_group({task("c")})})
            | task("sum"));
  CAF_REQUIRE_EQUAL(made.publish.size(), 2u);
  CAF_REQUIRE_EQUAL(made.groups.size(), 2u); // its size, and its structure
  CAF_CHECK_EQUAL(made.groups[0].text, "2");
  auto b = parse_task_message(made.publish[1].payload).value();
  auto c = b.embed.at("chain").at(0).at("kwargs").at("tasks").at(0);
  CAF_CHECK_EQUAL(c.at("options").at("group_id").as_string(),
                  made.groups[0].group);
  CAF_CHECK(c.at("options").as_object().contains("chord"));
}
