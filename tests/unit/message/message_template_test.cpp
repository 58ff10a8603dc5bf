// Messages that are filled in instead of written.
#define CAF_SUITE message_template

#include "tests/unit/dsl.hpp"

#include "protocol/message/message_template.hpp"
#include "protocol/message/task_message.hpp"

using namespace umbel;

namespace {

task_call some_call() {
  task_call call;
  call.task = "tasks.add";
  call.id = "7b1a0c0e-0000-4000-8000-000000000001";
  call.kwargs = {{"x", json::array{}}};
  call.headers["shadow"] = "()";
  return call;
}

} // namespace

CAF_TEST(a message that is filled in is as one that is written) {
  auto call = some_call();
  auto form = message_template::make(make_task_message(call)).value();
  auto filled = form.fill("other", {1, "\"'\\", json::object{{"k", nullptr}}});
  call.id = "other";
  call.args = {1, "\"'\\", json::object{{"k", nullptr}}};
  auto written = make_task_message(call);
  auto tag = [](const std::string& text) {
    constexpr std::string_view key = R"("delivery_tag": ")";
    return text.find(key) + key.size();
  };
  CAF_REQUIRE_EQUAL(tag(filled), tag(written));
  CAF_CHECK_NOT_EQUAL(filled, written); // of tags each has its own
  filled.replace(tag(filled), 36, "");
  written.replace(tag(written), 36, "");
  CAF_CHECK_EQUAL(filled, written);
}

CAF_TEST(others are refused) {
  auto refused = [](const task_call& x) {
    return !message_template::make(make_task_message(x));
  };
  CAF_CHECK(!refused(some_call()));
  auto packed = some_call();
  packed.form.serializer = serializer::msgpack;
  CAF_CHECK(refused(packed));
  auto small = some_call();
  small.form.compression = compression::zlib;
  CAF_CHECK(refused(small));
  auto called = some_call();
  called.args = {1};
  CAF_CHECK(refused(called));
  auto plain = some_call();
  plain.plain = true;
  CAF_CHECK(refused(plain));
  CAF_CHECK(!message_template::make("{}"));
}
