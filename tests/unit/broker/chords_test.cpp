// Conformance: the parts of chords are counted in the step that settles, by the
// brokers that have the results; and by result stores for the other ones.
#define CAF_SUITE chords

#include "tests/unit/dsl.hpp"

#include "protocol/backend/workflow_store.hpp"
#include "tests/unit/broker/chord_parts.hpp"
#include "tests/unit/broker/worlds.hpp"

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

chord_part part(int index, const std::string& result = "1",
                const std::string& state = "SUCCESS") {
  return chord_part_for("next", index, result, state);
}

chord_part failed(int index) {
  return part(index, R"({"exc_type": "a.ValueError", "exc_message": ["it's"]})",
              "FAILURE");
}

group_record size_of(const std::string& group, int parts) {
  return {group, group_record::kind::size, std::to_string(parts)};
}

/// One life of a worker that settles parts.
class settler {
public:
  explicit settler(world& w) : w_(w), life_(w.connect("a@h")) {
  }

  bool counts() const {
    return life_->counts_chords();
  }

  void keep(group_record x) {
    settlement s = settled(reserved());
    s.workflow.groups = {std::move(x)};
    CAF_CHECK(umbel::test::settle(*life_, s));
  }

  /// @returns whether it took effect
  bool settle(chord_part x, bool owned = true) {
    settlement s = settled(reserved());
    if (!owned)
      umbel::test::settle(*life_, s);
    s.workflow.parts = {std::move(x)};
    return umbel::test::settle(*life_, s);
  }

  /// What was published, oldest first; then it is gone.
  strings published() {
    auto options = w_.options("look@h", {"next"});
    options.incarnation = make_uuid();
    auto x = w_.connect(options);
    strings result;
    for (auto& y : reserve(*x)) {
      result.push_back(y.payload);
      umbel::test::settle(*x, settled(y));
    }
    return result;
  }

private:
  delivery reserved() {
    publish(*life_, {"part"});
    return reserve(*life_, 1).at(0);
  }

  world& w_;
  std::unique_ptr<broker> life_;
};

/// JSON may be written in several ways.
bool same(const strings& xs, const strings& ys) {
  return std::ranges::equal(xs, ys, [](auto& x, auto& y) {
    return x == y || json::parse(x) == json::parse(y);
  });
}

} // namespace

UMBEL_SCENARIO(the_last_part_publishes_the_body) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 3));
  x.settle(part(2, R"("two/\"")"));
  x.settle(part(0, "[]"));
  CAF_CHECK(x.published().empty());
  x.settle(part(1, R"({"x": 1.0})"));
  // In the order of the header, as a part of a JSON string.
  CAF_CHECK(same(x.published(),
                 {R"({"body": "[[[], {\"x\": 1.0}, \"two/\\\"\"]]"})"}));
  for (int i : {0, 1, 2}) // what runs again afterwards starts nothing
    x.settle(part(i));
  CAF_CHECK(x.published().empty());
}

UMBEL_SCENARIO(a_part_that_runs_twice_counts_once_and_its_first_result_holds) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 2));
  x.settle(part(0, "1"));
  x.settle(part(0, "2"));
  x.settle(part(0, "3", "FAILURE"));
  CAF_CHECK(x.published().empty());
  x.settle(part(1));
  CAF_CHECK(same(x.published(), {R"({"body": "[[1, 1]]"})"}));
}

UMBEL_SCENARIO(a_part_that_has_failed_may_still_succeed) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 2));
  x.settle(failed(0));
  x.settle(part(0, "7"));
  x.settle(part(1, "8"));
  CAF_CHECK(same(x.published(), {R"({"body": "[[7, 8]]"})"}));
}

UMBEL_SCENARIO(who_has_lost_a_part_does_not_count_it) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 1));
  CAF_CHECK(!x.settle(part(0), false));
  CAF_CHECK(x.published().empty());
}

UMBEL_SCENARIO(without_a_size_a_chord_waits_for_one) {
  settler x{w};
  if (!x.counts())
    return;
  x.settle(part(0));
  x.settle(part(1));
  x.keep(size_of("g", 2));
  CAF_CHECK(x.published().empty());
  x.settle(part(1)); // the next one that comes sees it
  CAF_CHECK(same(x.published(), {R"({"body": "[[1, 1]]"})"}));
}

UMBEL_SCENARIO(a_task_that_joins_is_waited_for_and_counts_once) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 1));
  for (int i = 0; i < 2; ++i) // the task that adds it runs twice
    x.keep({"g", group_record::kind::joined, "t1"});
  x.settle(part(0));
  CAF_CHECK(x.published().empty());
  x.settle(part(1));
  CAF_CHECK(same(x.published(), {R"({"body": "[[1, 1]]"})"}));
}

UMBEL_SCENARIO(a_failed_part_fails_the_body_and_the_chord_that_it_is_a_part_of) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 2));
  x.keep(size_of("outer", 1));
  chord_part outer = part(0);
  outer.group = "outer";
  outer.task = task_id{"body"};
  outer.member = {R"([1, "body", "FAILURE", {"exc_type": "ChordError", )"
                  R"("exc_message": [")",
                  "\"]}]"};
  outer.failures = {{task_id{"outer body"},
                     {R"({"status": "FAILURE", "why": ")", "\"}"}, ""}};
  outer.errbacks.clear();
  x.settle(part(1));
  auto last = failed(0);
  last.outer = {outer};
  x.settle(last);
  CAF_CHECK(x.published() == strings{"errback"});
  auto why = [&](const char* id) {
    auto text = w.results()->fetch(task_id{id}).value().value_or("{}");
    auto document = json::parse(text).as_object();
    auto found = document.if_contains("why");
    return found ? std::string{found->as_string()} : "";
  };
  auto inner = R"(Dependency t0 raised ValueError("it's"))";
  CAF_CHECK_EQUAL(why("body"), inner);
  CAF_CHECK(why("outer body").starts_with("Dependency body raised ChordError("));
  CAF_CHECK_NOT_EQUAL(why("outer body").find("raised ValueError"),
                      std::string::npos);
}

UMBEL_SCENARIO(a_body_that_cannot_be_sent_fails_when_all_have_ended) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 2));
  auto one = part(0), two = part(1);
  for (auto* it : {&one, &two}) {
    it->reason = "no queue";
    it->body.clear();
  }
  x.settle(one);
  CAF_CHECK(x.published().empty());
  x.settle(two);
  CAF_CHECK(x.published() == strings{"errback"});
  auto stored = w.results()->fetch(task_id{"body"}).value().value_or("");
  CAF_CHECK(same({stored}, {R"({"status": "FAILURE", "why": "no queue"})"}));
}

UMBEL_SCENARIO(results_may_be_written_otherwise) {
  for (auto how : {serializer::yaml, serializer::msgpack}) {
    settler x{w};
    if (!x.counts())
      return;
    auto in = [&](chord_part to) {
      to.format = how;
      to.group = name_of(how);
      return to;
    };
    x.keep(size_of(std::string{name_of(how)}, 3));
    x.settle(in(part(2, R"([1.0, [], {}, null, "\u00fc"])")));
    x.settle(in(failed(0)));
    x.settle(in(part(0, "7")));
    x.settle(in(part(0, "8")));
    CAF_CHECK(x.published().empty());
    x.settle(in(part(1, R"({"x": 9007199254740993})")));
    CAF_CHECK(same(x.published(),
                   {R"({"body": "[[7, {\"x\": 9007199254740993}, )"
                    R"([1.0, [], {}, null, \"\\u00fc\"]]]"})"}));
    auto last = in(failed(0));
    last.group += "/2";
    x.keep(size_of(last.group, 1));
    x.settle(last);
    x.published();
    auto stored = w.results()->fetch(task_id{"body"}).value().value_or("");
    auto document = deserialize(how, stored, 1 << 20);
    CAF_REQUIRE(document.has_value());
    CAF_CHECK_EQUAL(document->at("why").as_string(),
                    R"(Dependency t0 raised ValueError("it's"))");
  }
}

UMBEL_SCENARIO(a_nested_header_gives_a_nested_list) {
  settler x{w};
  if (!x.counts())
    return;
  x.keep(size_of("g", 3));
  x.keep({"g", group_record::kind::results,
          R"({"result": [["g", null], [[["t2", null], null],
           [["h", null], [[["t0", null], null], [["t1", null], null]]]]]})"});
  for (int i : {0, 1, 2})
    x.settle(part(i, std::to_string(i)));
  CAF_CHECK(same(x.published(), {R"({"body": "[[2, [0, 1]]]"})"}));
}

UMBEL_SCENARIO(what_is_known_of_a_group_is_kept_until_it_is_forgotten) {
  auto results = w.results();
  auto* store = workflows_of(results.get());
  if (!store)
    return;
  const group_record saved{"g", group_record::kind::results, R"({"result": 1})"};
  CAF_CHECK(!store->fetch_group("g").value().has_value());
  store->count({&saved, 1}, {}).value();
  CAF_CHECK_EQUAL(store->fetch_group("g").value().value_or(""), saved.text);
  store->forget_group("g").value();
  CAF_CHECK(!store->fetch_group("g").value().has_value());
  auto record = success("1");
  results->store({&record, 1}).value();
  const std::vector<task_id> ids{task_id{"0"}, task_id{"1"}};
  auto found = store->fetch_all(ids).value();
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK(!found[0].has_value());
  CAF_CHECK_EQUAL(found[1].value_or(""), record.document);
}

UMBEL_SCENARIO(a_store_elsewhere_says_what_follows_until_it_is_published) {
  auto results = w.results();
  auto* store = workflows_of(results.get());
  if (!store)
    return;
  auto count = [&](const chord_part& x,
                   std::span<const group_record> groups = {}) {
    auto all = store->count(groups, {&x, 1}).value();
    CAF_REQUIRE_EQUAL(all.size(), 1u);
    return all[0].empty() ? "" : all[0][0].payload.at(0);
  };
  const std::vector<group_record> sizes{size_of("g", 2)};
  CAF_CHECK_EQUAL(count(part(0), sizes), "");
  auto body = R"({"body": "[[1, 1]]"})";
  auto last = part(1);
  CAF_CHECK_EQUAL(count(last), body);
  CAF_CHECK_EQUAL(count(last), body);  // it may not have been published
  CAF_CHECK_EQUAL(count(part(0)), ""); // but not because of others
  auto first = part(0);
  store->finish({&first, 1}).value(); // it was not the last one
  CAF_CHECK_EQUAL(count(last), body);
  store->finish({&last, 1}).value();
  CAF_CHECK_EQUAL(count(last), ""); // a chord that is over
}

UMBEL_SCENARIO(a_store_elsewhere_knows_what_has_joined) {
  auto results = w.results();
  auto* store = workflows_of(results.get());
  if (!store)
    return;
  const std::vector<group_record> groups{
    size_of("g", 1), {"g", group_record::kind::joined, "t1"}};
  auto first = part(0);
  for (int i = 0; i < 2; ++i) // whoever counted it died before it was published
    CAF_CHECK(store->count(groups, {&first, 1}).value().at(0).empty());
  auto last = part(1);
  CAF_CHECK_EQUAL(store->count({}, {&last, 1}).value().at(0).size(), 1u);
  store->finish({&last, 1}).value();
  CAF_CHECK(store->count({}, {&last, 1}).value().at(0).empty());
}

UMBEL_SCENARIO(a_store_elsewhere_forgets_the_chord_around_a_failed_one_too) {
  auto results = w.results();
  auto* store = workflows_of(results.get());
  if (!store)
    return;
  auto inner = failed(0);
  auto outer = failed(0);
  outer.group = "outer";
  outer.task = task_id{"body"};
  outer.member = {R"([1, "body", "FAILURE", {"exc_type": "ChordError", )"
                  R"("exc_message": [")",
                  "\"]}]"};
  inner.errbacks.clear();
  inner.outer = {outer};
  const std::vector<group_record> sizes{size_of("g", 1), size_of("outer", 1)};
  CAF_CHECK_EQUAL(store->count(sizes, {&inner, 1}).value().at(0).size(), 1u);
  // It may not have been published, and follows again.
  CAF_CHECK_EQUAL(store->count({}, {&inner, 1}).value().at(0).size(), 1u);
  store->finish({&inner, 1}).value();
  CAF_CHECK(store->count({}, {&inner, 1}).value().at(0).empty());
  CAF_CHECK(store->count({}, {&outer, 1}).value().at(0).empty());
}
