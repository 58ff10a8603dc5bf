// What a result document says.
#define CAF_SUITE task_result

#include "tests/unit/dsl.hpp"

#include "protocol/client/task_result.hpp"

using namespace umbel;

namespace {

std::string reason(const std::string& document) {
  return parse_task_result(serializer::json, document).value().reason();
}

} // namespace

CAF_TEST(reasons_are_types_and_messages) {
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "ValueError", "exc_message": ["no"]}})"),
                  "ValueError: no");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "KeyError", "exc_message": ["a", 2]}})"),
                  "KeyError: a, 2");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "E", "exc_message": []}})"),
                  "E");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result": {"exc_type": "E",
                     "exc_message": "text"}})"),
                  "E: text");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result": "text"})"), "text");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE"})"), "null");
}

CAF_TEST(what_is_no_result_document_is_malformed) {
  for (auto text : {"", "[]", "{}", R"({"status": 1})", "{\"status\""})
    CAF_CHECK(parse_task_result(serializer::json, text).error().code
              == errc::malformed);
}
