#define CAF_SUITE waiting_client

#include "tests/unit/dsl.hpp"

#include "protocol/message/waiting_client.hpp"
#include "tests/unit/message/vectors.hpp"

using namespace umbel;
using test::set_body;
using test::text_of;
using test::vector_names;
using test::vector_object;
using test::vector_text;

CAF_TEST(of whole messages it is what their headers say) {
  for (auto& name : vector_names()) {
    CAF_MESSAGE(name);
    auto text = vector_text(name);
    auto header = read_task_header(text).value();
    auto waits = read_waiting_client(text);
    CAF_CHECK_EQUAL(waits.id, header.id);
    CAF_CHECK_EQUAL(waits.reply_to, header.reply_to);
    CAF_CHECK_EQUAL(waits.ignores_result, header.ignore_result.value_or(false));
  }
}

CAF_TEST(an id is found beside what is malformed) {
  auto id = read_task_header(vector_text("plain")).value().id;
  for (std::string part : {"body", "content-type", "content-encoding"}) {
    auto x = vector_object("plain");
    x[part] = 7;
    auto text = text_of(x);
    CAF_CHECK(part == "content-encoding" || !read_task_header(text));
    CAF_CHECK_EQUAL(read_waiting_client(text).id, id);
    x.erase(part);
    CAF_CHECK_EQUAL(read_waiting_client(text_of(x)).id, id);
  }
  auto v1 = vector_object("v1_plain");
  set_body(v1, R"({"task": "t", "id": "one", "args": [], "eta": 7})");
  CAF_CHECK(!read_task_header(text_of(v1)));
  CAF_CHECK_EQUAL(read_waiting_client(text_of(v1)).id, task_id{"one"});
}

CAF_TEST(where there is none nobody is told) {
  for (auto text : {"", "null", "[]", "{}", R"({"headers": []})",
                    R"({"headers": {"id": 7}, "body": "W10="})",
                    R"({"headers": {"id": null}, "properties": 1})"})
    CAF_CHECK(read_waiting_client(text).id.empty());
}
