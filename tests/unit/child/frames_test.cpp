#define CAF_SUITE frames

#include "tests/unit/dsl.hpp"

#include "protocol/child/frames.hpp"

using namespace umbel;

namespace {

template <class Frame>
std::string encoded(const Frame& x) {
  std::string out;
  frame::append(out, x);
  return out;
}

/// Type byte and payload of the only frame in `bytes`.
std::string_view content(std::string_view bytes) {
  auto result = frame::next(bytes);
  CAF_REQUIRE(result.has_value());
  CAF_REQUIRE(bytes.empty());
  return *result;
}

template <class Frame>
Frame to_child(const std::string& bytes) {
  return std::get<Frame>(frame::decode_from_parent(content(bytes)).value());
}

template <class Frame>
Frame to_parent(const std::string& bytes) {
  return std::get<Frame>(frame::decode_from_child(content(bytes)).value());
}

outcome some_outcome() {
  outcome x;
  x.job = 0x0102030405060708;
  x.kind = outcome_kind::retry;
  x.expected = true;
  x.runtime = std::chrono::microseconds{1234567};
  x.document = "{}";
  x.summary = "Retry in 1s";
  x.traceback = "In task";
  x.publish = {{queue_name{"celery"}, 6, "payload"}, {queue_name{}, 0, ""}};
  return x;
}

} // namespace

CAF_TEST(the bytes of a frame are those of the specification) {
  CAF_CHECK_EQUAL(encoded(frame::recall{}), (std::string{"\1\0\0\0\3", 5}));
  CAF_CHECK_EQUAL(encoded(frame::job{258, "ab"}),
                  (std::string{"\17\0\0\0\2"
                               "\2\1\0\0\0\0\0\0"
                               "\2\0\0\0ab",
                               19}));
  CAF_CHECK_EQUAL(encoded(frame::returned{{1}}),
                  (std::string{"\15\0\0\0\24"
                               "\1\0\0\0"
                               "\1\0\0\0\0\0\0\0",
                               17}));
}

CAF_TEST(frames to the child) {
  auto bytes = encoded(frame::configure{{"a.so", "b.so"}, "celery@x", "{}"});
  auto configure = to_child<frame::configure>(bytes);
  CAF_CHECK_EQUAL(configure.libraries,
                  (std::vector<std::string>{"a.so", "b.so"}));
  CAF_CHECK_EQUAL(configure.node, "celery@x");
  CAF_CHECK_EQUAL(configure.settings, "{}");
  bytes = encoded(frame::job{7, "payload"});
  auto job = to_child<frame::job>(bytes);
  CAF_CHECK_EQUAL(job.id, 7u);
  CAF_CHECK_EQUAL(job.payload, "payload");
  CAF_CHECK(job.payload.data() > bytes.data()
            && job.payload.data() < bytes.data() + bytes.size());
  to_child<frame::recall>(encoded(frame::recall{}));
  to_child<frame::stop>(encoded(frame::stop{}));
  auto interrupt = to_child<frame::interrupt>(encoded(frame::interrupt{9}));
  CAF_CHECK_EQUAL(interrupt.job, 9u);
  auto good = to_child<frame::result>(
      encoded(frame::result{9, std::nullopt, "document"}));
  CAF_CHECK_EQUAL(good.call, 9u);
  CAF_CHECK(!good.failure);
  CAF_CHECK_EQUAL(good.text, "document");
  auto bad =
      to_child<frame::result>(encoded(frame::result{9, errc::timeout, "why"}));
  CAF_CHECK(bad.failure == errc::timeout);
}

CAF_TEST(a call and its end) {
  auto call = to_parent<frame::call>(
      encoded(frame::call{3, "id-1", {queue_name{"celery"}, 6, "payload"}}));
  CAF_CHECK_EQUAL(call.number, 3u);
  CAF_CHECK_EQUAL(call.id, "id-1");
  CAF_CHECK_EQUAL(call.message.queue.str(), "celery");
  CAF_CHECK_EQUAL(call.message.priority, 6);
  CAF_CHECK_EQUAL(call.message.payload, "payload");
  CAF_CHECK_EQUAL(to_parent<frame::forget>(encoded(frame::forget{3})).call, 3u);
}

CAF_TEST(frames to the parent) {
  task_options add;
  add.name = "tasks.add";
  add.acks_late = true;
  auto hello = to_parent<frame::hello>(encoded(frame::hello{"c++", {add}}));
  CAF_CHECK_EQUAL(hello.runtime, "c++");
  CAF_REQUIRE_EQUAL(hello.tasks.size(), 1u);
  CAF_CHECK_EQUAL(hello.tasks[0].name, "tasks.add");
  CAF_CHECK(hello.tasks[0].acks_late == true);
  CAF_CHECK_EQUAL(to_parent<frame::failed>(encoded(frame::failed{"x"})).reason,
                  "x");
  auto state = to_parent<frame::state>(encoded(frame::state{3, "{}"}));
  CAF_CHECK_EQUAL(state.job, 3u);
  CAF_CHECK_EQUAL(state.document, "{}");
  auto event = to_parent<frame::event>(encoded(frame::event{5, "task-x", "{}"}));
  CAF_CHECK_EQUAL(event.job, 5u);
  CAF_CHECK_EQUAL(event.type, "task-x");
  CAF_CHECK_EQUAL(event.fields, "{}");
  auto returned = to_parent<frame::returned>(encoded(frame::returned{{1, 2}}));
  CAF_CHECK_EQUAL(returned.jobs, (std::vector<uint64_t>{1, 2}));
  CAF_CHECK(
      to_parent<frame::returned>(encoded(frame::returned{})).jobs.empty());
  auto log = to_parent<frame::log>(encoded(frame::log{4, 3, "text"}));
  CAF_CHECK_EQUAL(log.job, 4u);
  CAF_CHECK_EQUAL(static_cast<int>(log.level), 3);
  CAF_CHECK_EQUAL(log.text, "text");
}

CAF_TEST(outcomes) {
  auto back = to_parent<outcome>(encoded(some_outcome()));
  CAF_CHECK_EQUAL(back.job, 0x0102030405060708u);
  CAF_CHECK(back.kind == outcome_kind::retry);
  CAF_CHECK(back.expected);
  CAF_CHECK_EQUAL(back.runtime.count(), 1234567);
  CAF_CHECK_EQUAL(back.document, "{}");
  CAF_CHECK_EQUAL(back.summary, "Retry in 1s");
  CAF_CHECK_EQUAL(back.traceback, "In task");
  CAF_REQUIRE_EQUAL(back.publish.size(), 2u);
  CAF_CHECK_EQUAL(back.publish[0].queue.str(), "celery");
  CAF_CHECK_EQUAL(back.publish[0].priority, 6);
  CAF_CHECK_EQUAL(back.publish[0].payload, "payload");
}

CAF_TEST(questions and answers) {
  auto asked = to_parent<frame::ask>(
      encoded(frame::ask{9, {question_kind::stored, {"a", "b"}}}));
  CAF_CHECK_EQUAL(asked.number, 9u);
  CAF_CHECK(asked.what.kind == question_kind::stored);
  CAF_CHECK_EQUAL(asked.what.words, (std::vector<std::string>{"a", "b"}));
  auto bytes = std::string{content(encoded(frame::ask{9, {}}))};
  bytes[9] = '\x63'; // kind, after type and number
  CAF_CHECK(!frame::decode_from_child(bytes).has_value());
  auto told = to_child<frame::answer>(
      encoded(frame::answer{9, std::nullopt, "", {"a", ""}}));
  CAF_CHECK_EQUAL(told.question, 9u);
  CAF_CHECK(!told.failure);
  CAF_CHECK_EQUAL(told.texts, (std::vector<std::string>{"a", ""}));
  told = to_child<frame::answer>(
      encoded(frame::answer{9, errc::timeout, "too slow", {}}));
  CAF_CHECK(told.failure == errc::timeout);
  CAF_CHECK_EQUAL(told.reason, "too slow");
}

CAF_TEST(frames are cut from a stream as they become whole) {
  std::string stream = encoded(frame::recall{}) + encoded(frame::job{1, "abc"});
  size_t whole = 0;
  for (size_t size = 0; size <= stream.size(); ++size) {
    std::string_view rest{stream.data(), size};
    size_t frames = 0;
    while (!frame::next(rest)->empty())
      ++frames;
    CAF_CHECK(frames >= whole);
    whole = frames;
  }
  CAF_CHECK_EQUAL(whole, 2u);
}

CAF_TEST(impossible lengths are malformed) {
  for (std::string bytes : {std::string(4, '\0'), std::string(4, '\xff')}) {
    std::string_view rest = bytes;
    auto result = frame::next(rest);
    CAF_REQUIRE(!result.has_value());
    CAF_CHECK(result.error().code == errc::malformed);
  }
}

CAF_TEST(every cut and every addition is noticed) {
  task_options add;
  add.name = "tasks.add";
  const std::string frames[] = {
      encoded(frame::configure{{"a.so"}, "celery@x", "{}"}),
      encoded(frame::job{1, "abc"}),
      encoded(frame::hello{"c++", {add}}),
      encoded(frame::failed{"x"}),
      encoded(some_outcome()),
      encoded(frame::state{1, "{}"}),
      encoded(frame::event{1, "task-x", "{}"}),
      encoded(frame::returned{{1, 2}}),
      encoded(frame::log{1, 2, "x"}),
  };
  for (auto& bytes : frames) {
    auto frame = content(bytes);
    for (size_t size = 0; size < frame.size(); ++size) {
      auto part = frame.substr(0, size);
      CAF_CHECK(!frame::decode_from_parent(part).has_value());
      CAF_CHECK(!frame::decode_from_child(part).has_value());
    }
    auto longer = std::string{frame} + "x";
    CAF_CHECK(!frame::decode_from_parent(longer).has_value());
    CAF_CHECK(!frame::decode_from_child(longer).has_value());
  }
}

CAF_TEST(a list that claims to be huge costs nothing) {
  std::string frame{"\24\xff\xff\xff\xff", 5}; // returned
  CAF_CHECK(!frame::decode_from_child(frame).has_value());
}

CAF_TEST(another version and an unknown type are refused) {
  std::string other{"\1\2\0\0\0", 5}; // configure, version 2
  auto result = frame::decode_from_parent(other);
  CAF_REQUIRE(!result.has_value());
  CAF_CHECK(result.error().code == errc::unsupported);
  CAF_CHECK(!frame::decode_from_parent("\x63").has_value());
  CAF_CHECK(!frame::decode_from_child("\x63").has_value());
  auto outcome = std::string{content(encoded(some_outcome()))};
  outcome[9] = '\x63'; // kind, after type and job
  CAF_CHECK(!frame::decode_from_child(outcome).has_value());
}
