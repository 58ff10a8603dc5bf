#define CAF_SUITE task_header

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

using namespace umbel;
using namespace std::chrono_literals;
using test::reason;
using test::set_body;
using test::text_of;
using test::vector_object;
using test::vector_text;

namespace {

const auto eta = parse_time("2031-05-06T07:08:09.123456Z").value();

task_header header_of(const std::string& name) {
  return read_task_header(vector_text(name)).value();
}

/// Why the plain vector is malformed with header `key` set to `value`.
std::string with_header(std::string_view key, std::string_view value) {
  auto x = vector_object("plain");
  x["headers"].as_object()[key] = parse_json(value).value();
  auto from_header = reason(read_task_header(text_of(x)));
  CAF_CHECK_EQUAL(reason(parse_task_message(text_of(x))), from_header);
  return from_header;
}

std::string with_member(std::string_view key, json::value value) {
  auto x = vector_object("plain");
  if (value.is_null())
    x.erase(key);
  else
    x[key] = std::move(value);
  auto from_header = reason(read_task_header(text_of(x)));
  CAF_CHECK_EQUAL(reason(parse_task_message(text_of(x))), from_header);
  return from_header;
}

} // namespace

CAF_TEST(a plain message) {
  auto x = header_of("plain");
  auto raw = vector_object("plain");
  CAF_CHECK_EQUAL(x.id.str(), raw.at("headers").at("id").as_string().c_str());
  CAF_CHECK_EQUAL(x.task, "tasks.add");
  CAF_CHECK_EQUAL(x.shadow, "");
  CAF_CHECK(!x.eta);
  CAF_CHECK(!x.expires);
  CAF_CHECK_EQUAL(x.retries, 0);
  CAF_CHECK_EQUAL(x.group, "");
  CAF_CHECK_EQUAL(x.root_id, x.id.str());
  CAF_CHECK_EQUAL(x.parent_id, "");
  CAF_CHECK_EQUAL(x.reply_to,
                  raw.at("properties").at("reply_to").as_string().c_str());
  CAF_CHECK(x.ignore_result == false);
  CAF_CHECK(!x.time_limit);
  CAF_CHECK(!x.soft_time_limit);
  CAF_CHECK_EQUAL(x.priority, 0);
  CAF_CHECK(!x.redelivered);
  CAF_CHECK(x.utc);
}

CAF_TEST(what captured messages say) {
  CAF_CHECK(header_of("eta").eta == eta);
  CAF_CHECK(header_of("eta_naive").eta == eta);
  CAF_CHECK(header_of("eta_whole_second").eta == eta - 123456us);
  CAF_CHECK(header_of("countdown").eta.has_value());
  CAF_CHECK(header_of("expires_time").expires == eta);
  CAF_CHECK(header_of("expires_seconds").expires.has_value());
  CAF_CHECK_EQUAL(header_of("priority").priority, 6);
  CAF_CHECK(header_of("time_limits").time_limit == 30s);
  CAF_CHECK(header_of("time_limits").soft_time_limit == 20s);
  CAF_CHECK(header_of("time_limit_float").time_limit == 2500ms);
  CAF_CHECK(!header_of("time_limit_float").soft_time_limit);
  CAF_CHECK_EQUAL(header_of("shadow").shadow, "adding");
  CAF_CHECK(header_of("ignore_result").ignore_result == true);
  CAF_CHECK_EQUAL(header_of("child").root_id, "root-1");
  CAF_CHECK_EQUAL(header_of("child").parent_id, "parent-1");
  CAF_CHECK(header_of("custom_id").id == task_id{"order:42/\u00e4"});
  CAF_CHECK_EQUAL(header_of("reply_to").reply_to, "replies");
  CAF_CHECK_NOT_EQUAL(header_of("group_1").group, "");
  CAF_CHECK_EQUAL(header_of("group_1").group, header_of("group_2").group);
  CAF_CHECK_EQUAL(header_of("map").task, "celery.map");
  CAF_CHECK(header_of("redelivered").redelivered);
  auto retry = header_of("retry");
  CAF_CHECK_EQUAL(retry.retries, 1);
  CAF_CHECK(retry.eta.has_value());
  CAF_CHECK_EQUAL(retry.parent_id, retry.id.str());
}

CAF_TEST(protocol 1) {
  auto x = header_of("v1_eta");
  CAF_CHECK_EQUAL(x.task, "tasks.add");
  CAF_CHECK_EQUAL(x.id.str().size(), 36u);
  CAF_CHECK(x.eta == eta);
  CAF_CHECK(x.expires == eta);
  CAF_CHECK(x.time_limit == 30s);
  CAF_CHECK(x.soft_time_limit == 20s);
  CAF_CHECK_EQUAL(x.priority, 3);
  CAF_CHECK(x.utc);
  CAF_CHECK_EQUAL(header_of("v1_group").group, "group-1");
}

CAF_TEST(in protocol 1 taskset overrides group and utc may be false) {
  auto x = vector_object("v1_plain");
  set_body(x, R"({"task": "t", "id": "1", "group": "g", "taskset": "ts",
                  "utc": false, "retries": 4})");
  auto header = read_task_header(text_of(x)).value();
  CAF_CHECK_EQUAL(header.group, "ts");
  CAF_CHECK(!header.utc);
  CAF_CHECK_EQUAL(header.retries, 4);
}

CAF_TEST(a hybrid message : headers go before the body) {
  auto x = vector_object("plain");
  x["headers"] = {{"task", "from.headers"}, {"retries", 2}};
  set_body(x, R"( {"task": "from.body", "id": "42", "args": [], "retries": 1,
                  "eta": "2031-05-06T07:08:09.123456Z"})");
  auto header = read_task_header(text_of(x)).value();
  CAF_CHECK_EQUAL(header.task, "from.headers");
  CAF_CHECK_EQUAL(header.id.str(), "42");
  CAF_CHECK_EQUAL(header.retries, 2);
  CAF_CHECK(header.eta == eta);
}

CAF_TEST(the smallest message) {
  auto x = read_task_header(R"({"body": "[[], {}, {}]", "headers": {"id": "1",
    "task": "t"}, "content-type": "application/json"})");
  CAF_CHECK_EQUAL(x.value().task, "t");
  CAF_CHECK(!x.value().ignore_result);
}

CAF_TEST(a protocol 2 body is not looked at) {
  auto x = vector_object("plain");
  x["body"] = "W1 this is no base64";
  CAF_CHECK(read_task_header(text_of(x)));
}

CAF_TEST(headers that kill or mislead a Python worker) {
  const std::tuple<const char*, const char*, const char*> examples[]{
      {"id", "42", "header id is a number (42), not a string"},
      {"id", "null", "header id is null (None), not a string"},
      {"id", "\"\"", "header id is empty"},
      {"task", "7", "header task is a number (7), not a string"},
      {"task", "null", "header task is null (None), not a string"},
      {"eta", "\"soon\"",
       "header eta: 'soon' is not an ISO 8601 time: no such date"},
      {"eta", "1.5",
       "header eta is a number (1.5), not an ISO 8601 time or "
       "null"},
      {"expires", "60",
       "header expires is a number (60), not an ISO 8601 time or null"},
      {"expires", "[\"x\"]",
       "header expires is a list (['x']), not an ISO 8601 time or null"},
      {"timelimit", "[30]",
       "header timelimit has 1 elements, not 2: [hard, soft]"},
      {"timelimit", "[1, 2, 3]",
       "header timelimit has 3 elements, not 2: [hard, soft]"},
      {"timelimit", "30",
       "header timelimit is a number (30), not a list [hard, soft] or null"},
      {"timelimit", "[\"30\", null]",
       "header timelimit is a string ('30'), not seconds or null"},
      {"timelimit", "[-1, null]", "header timelimit of -1 s is out of range"},
      {"timelimit", "[null, NaN]", "header timelimit of nan s is out of range"},
      {"timelimit", "[1e300, null]",
       "header timelimit of 1e+300 s is out of range"},
      {"retries", "\"1\"",
       "header retries is a string ('1'), not a whole number"},
      {"retries", "1.5",
       "header retries is a number (1.5), not a whole number"},
      {"retries", "-1", "header retries is negative: -1"},
      {"retries", "18446744073709551615",
       "header retries is a number (18446744073709551615), not a whole number"},
      {"group", "{}", "header group is an object ({}), not a string or null"},
      {"root_id", "1", "header root_id is a number (1), not a string or null"},
      {"parent_id", "[]",
       "header parent_id is a list ([]), not a string or "
       "null"},
      {"shadow", "true",
       "header shadow is a boolean (True), not a string or "
       "null"},
      {"ignore_result", "\"no\"",
       "header ignore_result is a string ('no'), not true, false or null"},
      {"compression", "\"application/x-lz4\"",
       "compression 'application/x-lz4' is not known; known are zlib, bzip2, "
       "lzma, zstd, brotli"},
  };
  for (auto& [key, value, want] : examples)
    CAF_CHECK_EQUAL(with_header(key, value), want);
}

CAF_TEST(harmless values) {
  for (auto& [key, value] :
       std::initializer_list<std::pair<const char*, const char*>>{
           {"timelimit", "null"},
           {"timelimit", "[0, 0]"},
           {"eta", "\"\""},
           {"retries", "null"},
           {"ignore_result", "null"},
           {"compression", "null"},
           {"compression", "\"\""},
           {"redelivered", "\"yes\""}})
    CAF_CHECK_EQUAL(with_header(key, value), "");
}

CAF_TEST(a missing id and a missing task) {
  auto x = vector_object("plain");
  x["headers"].as_object().erase("id");
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(x))), "header id is missing");
  x["headers"].as_object().erase("task");
  const auto no_task = "not a task message: no header 'task', and the body is "
                       "not a mapping of protocol 1";
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(x))), no_task);
  x["headers"] = nullptr;
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(x))), no_task);
  auto v1 = vector_object("v1_plain");
  set_body(v1, R"({"task": "t"})");
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(v1))),
                  "header id is missing");
  set_body(v1, R"({"id": "t"})");
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(v1))),
                  "header task is missing");
  set_body(v1, R"({"id": "t", )");
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(v1))),
                  "body: not JSON: incomplete JSON at byte 12 of 12");
}

CAF_TEST(content types) {
  CAF_CHECK_EQUAL(with_member("content-type", nullptr),
                  "no content type: only application/json is accepted");
  CAF_CHECK_EQUAL(with_member("content-type", "application/x-yaml"),
                  "content type 'application/x-yaml' is not accepted, only "
                  "application/json (accept_content)");
  CAF_CHECK_EQUAL(with_member("content-encoding", "latin-1"),
                  "content encoding 'latin-1' is not accepted, only utf-8");
  CAF_CHECK_EQUAL(with_member("content-encoding", nullptr), "");
}

CAF_TEST(priority is a hint) {
  auto x = vector_object("plain");
  auto& properties = x["properties"].as_object();
  auto priority = [&](std::string_view text) {
    properties["priority"] = parse_json(text).value();
    return read_task_header(text_of(x)).value().priority;
  };
  CAF_CHECK_EQUAL(priority("9"), 9);
  CAF_CHECK_EQUAL(priority("3.9"), 3);
  CAF_CHECK_EQUAL(priority("-5"), 0);
  CAF_CHECK_EQUAL(priority("1e300"), 255);
  CAF_CHECK_EQUAL(priority("NaN"), 0);
  CAF_CHECK_EQUAL(priority("\"high\""), 0);
  CAF_CHECK_EQUAL(priority("null"), 0);
  properties["reply_to"] = 5;
  CAF_CHECK_EQUAL(reason(read_task_header(text_of(x))),
                  "property reply_to is a number (5), not a string or null");
}
