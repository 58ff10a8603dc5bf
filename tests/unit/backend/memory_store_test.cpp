// The result stores without a server: memory and disabled.
#define CAF_SUITE memory_store

#include "tests/unit/dsl.hpp"

#include "protocol/backend/memory/memory_result_store.hpp"
#include "protocol/backend/memory/result_table.hpp"
#include "protocol/backend/result_store.hpp"

#include <memory>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

result_record record(const std::string& id, const std::string& status) {
  return {task_id{id}, "{\"status\": \"" + status + "\"}"};
}

std::string fetch(result_store& x, const std::string& id) {
  return x.fetch(task_id{id}).value().value_or("");
}

void store(result_store& x, const result_record& y) {
  CAF_CHECK(x.store({&y, 1}).has_value());
}

} // namespace

CAF_TEST(memory_keeps_the_last_document_of_each_task) {
  auto x = connect_result_store("memory://keeps", {}).value();
  CAF_CHECK_EQUAL(x->location(), "memory://keeps");
  CAF_CHECK_EQUAL(fetch(*x, "1"), "");
  std::vector<result_record> batch{
      record("1", "STARTED"), record("1", "FAILURE"), record("2", "RETRY")};
  CAF_CHECK(x->store(batch).has_value());
  CAF_CHECK_EQUAL(fetch(*x, "1"), record("1", "FAILURE").document);
  CAF_CHECK_EQUAL(fetch(*x, "2"), record("2", "RETRY").document);
  CAF_CHECK(x->forget(task_id{"1"}).has_value());
  CAF_CHECK(x->forget(task_id{"1"}).has_value());
  CAF_CHECK_EQUAL(fetch(*x, "1"), "");
}

CAF_TEST(memory_never_overwrites_success_however_it_is_written) {
  auto x = connect_result_store("memory://success", {}).value();
  for (std::string document :
       {R"({"status": "SUCCESS"})", R"({"status":"SUCCESS","result":1})",
        "\n{ \"status\" : \"SUCCESS\" }"}) {
    x->forget(task_id{"1"}).value();
    store(*x, {task_id{"1"}, document});
    store(*x, record("1", "FAILURE"));
    CAF_CHECK_EQUAL(fetch(*x, "1"), document);
  }
  store(*x, record("2", "SUCCESSFUL")); // a custom state
  store(*x, record("2", "FAILURE"));
  CAF_CHECK_EQUAL(fetch(*x, "2"), record("2", "FAILURE").document);
}

CAF_TEST(memory_is_shared_by_name_and_prefix) {
  auto a = connect_result_store("memory://shared", {}).value();
  auto b = connect_result_store("memory://shared/", {}).value();
  auto c = connect_result_store("memory://not-shared", {}).value();
  result_store_options options;
  options.global_keyprefix = "p";
  auto d = connect_result_store("memory://shared", options).value();
  store(*a, record("1", "SUCCESS"));
  CAF_CHECK_EQUAL(fetch(*b, "1"), record("1", "SUCCESS").document);
  CAF_CHECK_EQUAL(fetch(*c, "1"), "");
  CAF_CHECK_EQUAL(fetch(*d, "1"), "");
}

CAF_TEST(results_expire) {
  auto url = "memory://expires";
  result_store_options options;
  options.result_expires = 10s;
  auto x = connect_result_store(url, options).value();
  auto now = std::make_shared<std::chrono::milliseconds>(0);
  result_table_of(url, options)->set_clock([now] { return *now; });
  store(*x, record("1", "SUCCESS"));
  store(*x, record("2", "STARTED"));
  *now += 6s;
  store(*x, record("2", "FAILURE")); // lives ten seconds from here
  *now += 3999ms;
  CAF_CHECK_EQUAL(fetch(*x, "1"), record("1", "SUCCESS").document);
  *now += 1ms;
  CAF_CHECK_EQUAL(fetch(*x, "1"), "");
  CAF_CHECK_EQUAL(fetch(*x, "2"), record("2", "FAILURE").document);
  store(*x, record("1", "FAILURE")); // the SUCCESS is gone
  CAF_CHECK_EQUAL(fetch(*x, "1"), record("1", "FAILURE").document);
  *now += 6s;
  CAF_CHECK_EQUAL(fetch(*x, "2"), "");
}

CAF_TEST(results_that_do_not_expire_stay) {
  auto url = "memory://stays";
  result_store_options options;
  options.result_expires = 0s;
  auto x = connect_result_store(url, options).value();
  auto now = std::make_shared<std::chrono::milliseconds>(0);
  result_table_of(url, options)->set_clock([now] { return *now; });
  store(*x, record("1", "SUCCESS"));
  *now += 100'000h;
  CAF_CHECK_EQUAL(fetch(*x, "1"), record("1", "SUCCESS").document);
}

CAF_TEST(the_disabled_store_accepts_and_forgets) {
  for (auto url : {"", "disabled://"}) {
    auto x = connect_result_store(url, {}).value();
    CAF_CHECK_EQUAL(x->location(), "disabled://");
    store(*x, record("1", "SUCCESS"));
    CAF_CHECK_EQUAL(fetch(*x, "1"), "");
    CAF_CHECK(x->forget(task_id{"1"}).has_value());
  }
}
