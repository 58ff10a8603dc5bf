// store.lua and what is around it: keys, documents, announcements.
#define CAF_SUITE redis_result_store

#include "tests/unit/dsl.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

const std::string success = R"({"status": "SUCCESS", "result": 1})";
const std::string failure = R"({"status": "FAILURE", "result": 2})";

struct fixture : redis_fixture {
  static std::unique_ptr<result_store> open(result_store_options options = {}) {
    return connect_redis_result_store(server().url(), options).value();
  }

  static void store(result_store& x, const std::string& id,
                    const std::string& document) {
    const std::vector<result_record> batch{{task_id{id}, document}};
    x.store(batch).value();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_result_store_tests, fixture)

CAF_TEST(a_result_stands_under_celerys_key_and_expires) {
  auto x = open();
  CAF_CHECK_EQUAL(x->location(), "redis://127.0.0.1:"
                                     + std::to_string(server().port()) + "/0");
  store(*x, "t", failure);
  CAF_CHECK_EQUAL(keyspace(), (strings{"celery-task-meta-t: string " + failure
                                       + " (expires)"}));
  auto ttl = std::stoi(ask({"TTL", "celery-task-meta-t"}));
  CAF_CHECK(ttl > 86'000 && ttl <= 86'400);
  CAF_CHECK_EQUAL(x->fetch(task_id{"t"}).value().value_or(""), failure);
  CAF_CHECK(!x->fetch(task_id{"other"}).value().has_value());
  x->forget(task_id{"t"}).value();
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST(without_expiry_it_stays) {
  result_store_options options;
  options.result_expires = std::chrono::seconds{0};
  auto x = open(options);
  store(*x, "t", failure);
  store(*x, "t", success);
  CAF_CHECK_EQUAL(keyspace(),
                  (strings{"celery-task-meta-t: string " + success}));
}

CAF_TEST(success_is_never_overwritten_and_nobody_hears_of_the_attempt) {
  auto x = open();
  auto second = redis::connection::open(admin->where(), {}).value();
  second->command({"SUBSCRIBE", "celery-task-meta-t"}, "test").value();
  store(*x, "t", failure);
  store(*x, "t", success);
  store(*x, "t", failure);
  CAF_CHECK_EQUAL(x->fetch(task_id{"t"}).value().value_or(""), success);
  ask({"PUBLISH", "celery-task-meta-t", "end"});
  strings heard;
  while (heard.empty() || heard.back() != "end")
    heard.push_back(
        text(*redis::elements_of(*second->receive("test").value())[2]));
  CAF_CHECK_EQUAL(heard, (strings{failure, success, "end"}));
}

CAF_TEST(a_batch_of_any_size_is_stored_in_its_order) {
  auto x = open();
  std::vector<result_record> batch;
  for (int i = 0; i < 300; ++i)
    batch.push_back({task_id{std::to_string(i % 299)}, std::to_string(i)});
  x->store(batch).value();
  CAF_CHECK_EQUAL(ask({"DBSIZE"}), "299");
  CAF_CHECK_EQUAL(x->fetch(task_id{"0"}).value().value_or(""), "299");
  CAF_CHECK_EQUAL(x->fetch(task_id{"298"}).value().value_or(""), "298");
  CAF_CHECK(x->store({}).has_value());
}

CAF_TEST(the_global_prefix_follows_celerys_rule) {
  auto prefix = [](const std::string& text) {
    result_store_options options;
    options.global_keyprefix = text;
    return result_key_prefix(options);
  };
  CAF_CHECK_EQUAL(prefix(""), "celery-task-meta-");
  CAF_CHECK_EQUAL(prefix("app"), "app_celery-task-meta-");
  for (std::string text : {"app:", "app_", "app-", "app."})
    CAF_CHECK_EQUAL(prefix(text), text + "celery-task-meta-");
}

CAF_TEST(what_is_no_redis_url_is_an_invalid_setting) {
  CAF_CHECK(connect_redis_result_store("nonsense", {}).error().code
            == errc::invalid_setting);
  CAF_CHECK(connect_redis_result_store("redis://h/x", {}).error().code
            == errc::invalid_setting);
}

CAF_TEST_FIXTURE_SCOPE_END()
