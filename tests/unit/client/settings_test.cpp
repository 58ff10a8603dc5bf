#define CAF_SUITE settings

#include "tests/unit/dsl.hpp"

#include "protocol/client/app_settings.hpp"
#include "protocol/client/broker_settings.hpp"
#include "protocol/client/routing_settings.hpp"
#include "protocol/client/setting_table.hpp"
#include "protocol/client/settings.hpp"
#include "protocol/task/settings.hpp"

#include <cstdlib>
#include <fstream>
#include <set>

#include <unistd.h>

using namespace std::chrono_literals;
using namespace umbel;

namespace {

struct fixture {
  settings_sources sources;
  std::vector<std::string> warnings;

  // A directory of its own, so that messages can be compared as a whole.
  fixture() {
    char path[] = "/tmp/settings_test_XXXXXX";
    if (mkdtemp(path) != nullptr && chdir(path) == 0)
      directory = path;
  }

  ~fixture() {
    std::remove("conf.json");
    if (chdir("/") == 0 && !directory.empty())
      rmdir(directory.c_str());
  }

  void file(const std::string& text) {
    std::ofstream{"conf.json"} << text;
    sources.file = "conf.json";
  }

  settings load() {
    auto result = load_settings(sources, warnings);
    if (!result)
      CAF_FAIL("unexpected error: " << result.error().what);
    return *result;
  }

  std::string fault(errc code = errc::invalid_setting) {
    auto result = load_settings(sources, warnings);
    if (result)
      CAF_FAIL("accepted");
    CAF_CHECK_EQUAL(to_string(result.error().code),
                    std::string{to_string(code)});
    return result.error().what;
  }

  std::string fault_in_file(const std::string& text) {
    file(text);
    return fault();
  }

  std::string directory;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(settings_tests, fixture)

CAF_TEST(defaults are those of Celery) {
  auto x = load();
  CAF_CHECK_EQUAL(x.broker_url, "redis://127.0.0.1:6379/0");
  CAF_CHECK_EQUAL(x.result_backend, "");
  CAF_CHECK(x.result_expires == 24h);
  CAF_CHECK(x.broker_connection_timeout == 4s);
  CAF_CHECK(x.redis_socket_timeout == 120s);
  CAF_CHECK(x.broker_transport_options.visibility_timeout == 1h);
  CAF_CHECK_EQUAL(x.task_default_queue, "celery");
  CAF_CHECK(x.task_acks_on_failure_or_timeout);
  CAF_CHECK(!x.task_acks_late);
  CAF_CHECK(!x.worker_prefetch_multiplier.has_value());
  CAF_CHECK(warnings.empty());
}

CAF_TEST(users and groups are names or numbers) {
  file(R"({"worker_uid": "www-data", "worker_gid": 33})");
  auto x = load();
  CAF_CHECK_EQUAL(x.worker_uid.text, "www-data");
  CAF_CHECK_EQUAL(x.worker_gid.text, "33");
  CAF_CHECK_EQUAL(fault_in_file(R"({"worker_uid": -1})"),
                  "setting 'worker_uid' in conf.json is -1; expected a name or "
                  "a number");
}

CAF_TEST(a file sets typed values) {
  file(R"({
    // comments and trailing commas are fine in a file that people write
    "broker_url": "redis://:secret@host/3",
    "result_expires": 90.4,
    "task_acks_late": true,
    "task_time_limit": 1.5,
    "worker_prefetch_multiplier": 1,
    "worker_pool": "threads",
    "imports": ["tasks", "more"],
    "broker_transport_options": {"visibility_timeout": 60,
                                 "priority_steps": [0, 5],
                                 "global_keyprefix": "app_"},
  })");
  auto x = load();
  CAF_CHECK_EQUAL(x.broker_url, "redis://:secret@host/3");
  CAF_CHECK(x.result_expires == 90s);
  CAF_CHECK(x.task_acks_late);
  CAF_CHECK(x.task_time_limit == 1500ms);
  CAF_CHECK(x.worker_prefetch_multiplier == size_t{1});
  CAF_CHECK_EQUAL(x.worker_pool, "threads");
  CAF_CHECK_EQUAL(x.imports, (std::vector<std::string>{"tasks", "more"}));
  auto& options = x.broker_transport_options;
  CAF_CHECK(options.visibility_timeout == 60s);
  CAF_CHECK_EQUAL(options.priority_steps, (std::vector<int>{0, 5}));
  CAF_CHECK_EQUAL(options.global_keyprefix, "app_");
  CAF_CHECK_EQUAL(options.sep, "\x06\x16");
}

CAF_TEST(the command line outranks the environment and that the file) {
  file(R"({"task_default_queue": "file", "worker_concurrency": 1,
           "task_track_started": true})");
  sources.environment = {{"CELERY_WORKER_CONCURRENCY", "2"},
                         {"CELERY_TASK_TRACK_STARTED", "no"},
                         {"CELERY_RESULT_BACKEND", "redis://r/1"}};
  sources.assignments = {{"worker.concurrency", "3"}};
  auto x = load();
  CAF_CHECK_EQUAL(x.task_default_queue, "file");
  CAF_CHECK(x.worker_concurrency == size_t{3});
  CAF_CHECK(!x.task_track_started);
  CAF_CHECK_EQUAL(x.result_backend, "redis://r/1");
}

CAF_TEST(variables that are no settings belong to others) {
  sources.environment = {{"CELERY_PORT", "tcp://10.0.0.1:80"},
                         {"CELERY_LOADER", "x"},
                         {"CELERY_BROKER_URL", ""},
                         {"TASK_ACKS_LATE", "nonsense"}};
  CAF_CHECK_EQUAL(load().broker_url, settings{}.broker_url);
}

CAF_TEST(names on the command line may be dotted) {
  sources.assignments = {
      {"worker.prefetch_multiplier", "1"},
      {".concurrency", "5"},
      {"_pool", "solo"},
      {"TASK_ACKS_LATE", "on"},
      {"imports", "a, b"},
      {"accept_content", R"(["json"])"},
      {"broker.transport_options", R"({"visibility_timeout": 7})"},
      {"task.soft_time_limit", "none"}};
  auto x = load();
  CAF_CHECK(x.worker_prefetch_multiplier == size_t{1});
  CAF_CHECK(x.worker_concurrency == size_t{5});
  CAF_CHECK_EQUAL(x.worker_pool, "solo");
  CAF_CHECK(x.task_acks_late);
  CAF_CHECK_EQUAL(x.imports, (std::vector<std::string>{"a", "b"}));
  CAF_CHECK(x.broker_transport_options.visibility_timeout == 7s);
  CAF_CHECK(!x.task_soft_time_limit.has_value());
}

CAF_TEST(serializers and compressions are known by all their names) {
  sources.assignments = {
      {"accept_content", "json,application/x-msgpack"},
      {"task_serializer", "yaml"},
      {"result_serializer", "msgpack"},
      {"result_accept_content", R"(["msgpack"])"},
      {"task_compression", "gzip"},
      {"task_body_max", "4096"}};
  auto x = load();
  CAF_CHECK(x.accept_content
            == (std::vector{serializer::json, serializer::msgpack}));
  CAF_CHECK(x.task_serializer == serializer::yaml);
  CAF_CHECK(x.result_serializer == serializer::msgpack);
  CAF_CHECK(x.result_accept_content == std::vector{serializer::msgpack});
  CAF_CHECK(x.task_compression == compression::zlib);
  CAF_CHECK_EQUAL(x.task_body_max, 4096u);
}

CAF_TEST(an unknown serializer is an error with a suggestion) {
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_serializer": "msgpck"})"),
                  "setting 'task_serializer' in conf.json: 'msgpck' is no "
                  "serializer that is known; known are json, yaml, msgpack; did "
                  "you mean 'msgpack'?");
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_compression": "brotly"})"),
                  "setting 'task_compression' in conf.json: compression "
                  "'brotly' is not known; known are zlib, bzip2, lzma, zstd, "
                  "brotli; did you mean 'brotli'?");
  CAF_CHECK(fault_in_file(R"({"accept_content": ["json", "pickle"]})")
                .starts_with("setting 'accept_content[1]' in conf.json: pickle "
                             "is refused: "));
  CAF_CHECK_EQUAL(fault_in_file(R"({"accept_content": []})"),
                  "accept_content is empty: nothing could be run");
}

CAF_TEST(an unknown name suggests the nearest) {
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_ack_late": true})"),
                  "unknown setting 'task_ack_late' in conf.json; did you mean "
                  "'task_acks_late'?");
  CAF_CHECK_EQUAL(fault_in_file(R"({"colour_of_the_bikeshed": 1})"),
                  "unknown setting 'colour_of_the_bikeshed' in conf.json; "
                  "'umbel settings' lists all of them");
  sources.file.clear();
  sources.assignments = {{"worker.concurency", "3"}};
  CAF_CHECK_EQUAL(fault(), "unknown setting 'worker.concurency' on the command "
                           "line; did you mean 'worker_concurrency'?");
}

CAF_TEST(an old name is answered with the new one) {
  CAF_CHECK_EQUAL(
      fault_in_file(R"({"CELERY_ACKS_LATE": true})"),
      "setting 'CELERY_ACKS_LATE' in conf.json is an old upper-case "
      "name; write 'task_acks_late'");
  CAF_CHECK_EQUAL(fault_in_file(R"({"CELERYD_CONCURRENCY": 1})"),
                  "setting 'CELERYD_CONCURRENCY' in conf.json is an old "
                  "upper-case name; write 'worker_concurrency'");
  CAF_CHECK_EQUAL(fault_in_file(R"({"CELERYBEAT_SCHEDULE": {}})"),
                  "setting 'CELERYBEAT_SCHEDULE' in conf.json is an old "
                  "upper-case name; write 'beat_schedule'");
  CAF_CHECK_EQUAL(
      fault_in_file(R"({"BROKER_URL": ""})"),
      "setting 'BROKER_URL' in conf.json is an old upper-case name; "
      "write 'broker_url'");
}

CAF_TEST(rate limits are text or numbers and are checked) {
  file(R"({"task_default_rate_limit": 0.5,
           "task_annotations": {"*": {"rate_limit": "10/m", "trail": false},
                                "t": {"rate_limit_scope": "cluster",
                                      "rate_limit_key": "tenant"}}})");
  auto x = load();
  CAF_CHECK_EQUAL(x.task_annotations.at("*").rate_limit->text, "10/m");
  CAF_CHECK(x.task_annotations.at("t").rate_limit_scope == "cluster");
  CAF_CHECK(x.task_annotations.at("t").rate_limit_key == "tenant");
  CAF_CHECK_EQUAL(warnings.size(), 1u); // trail
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_default_rate_limit": "10/d"})"),
                  "setting 'task_default_rate_limit' in conf.json is "
                  "\"10/d\"; expected a rate such as 10/s, 100/m or 1000/h");
  CAF_CHECK_EQUAL(
      fault_in_file(R"({"task_annotations": {"t": {"rate_limit": []}}})"),
      "setting 'task_annotations.t.rate_limit' in conf.json is []; expected a "
      "rate such as 10/s, 100/m or 1000/h");
  CAF_CHECK(!fault_in_file(R"({"task_annotations": {"t": {"rate_limt": 1}}})")
                 .empty());
  CAF_CHECK(!fault_in_file(
                 R"({"task_annotations": {"t": {"rate_limit_scope": "x"}}})")
                 .empty());
}

CAF_TEST(a wrong value names setting and value and what is expected) {
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_acks_late": "yes"})"),
                  "setting 'task_acks_late' in conf.json is \"yes\"; expected "
                  "true or false");
  CAF_CHECK_EQUAL(fault_in_file(R"({"worker_concurrency": 0})"),
                  "setting 'worker_concurrency' in conf.json is 0; expected a "
                  "whole number from 1 to 65536");
  CAF_CHECK_EQUAL(fault_in_file(R"({"worker_prefetch_multiplier": 1.5})"),
                  "setting 'worker_prefetch_multiplier' in conf.json is 1.5E0; "
                  "expected a whole number from 0 up");
  CAF_CHECK_EQUAL(fault_in_file(R"({"result_expires": -1})"),
                  "setting 'result_expires' in conf.json is -1; expected a "
                  "number of seconds, 0 or more");
  CAF_CHECK_EQUAL(fault_in_file(R"({"worker_pool": "greenlet"})"),
                  "setting 'worker_pool' in conf.json is \"greenlet\"; "
                  "expected one of prefork, processes, threads, eventlet, "
                  "gevent, solo");
  CAF_CHECK_EQUAL(fault_in_file(R"({"imports": ["a", 1]})"),
                  "setting 'imports[1]' in conf.json is 1; expected text");
  CAF_CHECK_EQUAL(fault_in_file(R"({"broker_transport_options": {"sep": 1}})"),
                  "setting 'broker_transport_options.sep' in conf.json is 1; "
                  "expected text");
  CAF_CHECK_EQUAL(
      fault_in_file(
          R"({"broker_transport_options": {"visibilty_timeout": 60}})"),
      "unknown setting 'broker_transport_options.visibilty_timeout' in "
      "conf.json; did you mean 'visibility_timeout'?");
  CAF_CHECK_EQUAL(
      fault_in_file(R"({"broker_transport_options": {"priority_steps": [3]}})"),
      "setting 'broker_transport_options' in conf.json is [3]; expected "
      "priority_steps that begin with 0 and rise to at most 9");
  sources.file.clear();
  sources.environment = {{"CELERY_TASK_TIME_LIMIT", "soon"}};
  CAF_CHECK_EQUAL(fault(), "setting 'task_time_limit' in the environment "
                           "(CELERY_TASK_TIME_LIMIT) is \"soon\"; expected a "
                           "number of seconds, 0 or more");
}

CAF_TEST(a password is never part of an error) {
  auto text = fault_in_file(R"({"broker_url": ["redis://:secret@host"]})");
  CAF_CHECK_EQUAL(text, "setting 'broker_url' in conf.json is of the wrong "
                        "type; expected text");
}

CAF_TEST(a broken file is reported with its place) {
  sources.file = "missing.json";
  CAF_CHECK_EQUAL(fault(errc::not_found),
                  "cannot read the settings file 'missing.json': No such file "
                  "or directory");
  auto text = fault_in_file("{\n  \"timezone\": UTC\n}");
  CAF_CHECK_EQUAL(text.substr(0, text.rfind(':')),
                  "settings file 'conf.json' is not valid JSON: 2:15");
  text = fault_in_file("{} {}");
  CAF_CHECK(text.find("1:4") != std::string::npos);
  text = fault_in_file("{\"timezone\"");
  CAF_CHECK(text.find("not valid JSON") != std::string::npos);
  text = fault_in_file("");
  CAF_CHECK(text.find("not valid JSON: 1:1") != std::string::npos);
  CAF_CHECK_EQUAL(fault_in_file("[]"),
                  "settings file 'conf.json' must hold one "
                  "object: {\"name\": value, ...}");
  sources.file = ".";
  fault(errc::not_found);
}

CAF_TEST(settings of Celery without effect are a warning) {
  file(R"({"task_remote_tracebacks": true, "worker_agent": "x",
           "broker_pool_limit": 10.0, "task_protocol": 2,
           "security_key": null,
           "broker_transport_options": {"fanout_prefix": true}})");
  load();
  CAF_CHECK_EQUAL(warnings,
                  (std::vector<std::string>{
                      "setting 'task_remote_tracebacks' in conf.json is not supported "
                      "yet: it has no effect",
                      "setting 'worker_agent' in conf.json is not supported "
                      "yet: it has no effect",
                      "setting 'broker_transport_options.fanout_prefix' in "
                      "conf.json is not supported yet: it has no effect"}));
}

CAF_TEST(routes) {
  file(R"({"task_routes": {"mail.*": "mail", "t": {"queue": "q", "priority": 3}},
           "task_default_priority": 5, "task_create_missing_queues": false,
           "task_queues": ["celery", "mail", "q"]})");
  auto x = load();
  CAF_CHECK(warnings.empty());
  auto by_settings = to_routing(x);
  task_call call;
  call.task = "mail.send";
  CAF_CHECK(by_settings.address(call, {}));
  CAF_CHECK_EQUAL(call.queue, "mail");
  CAF_CHECK_EQUAL(call.priority, 5);
  call.task = "t";
  CAF_CHECK(by_settings.address(call, {}));
  CAF_CHECK_EQUAL(call.priority, 3);
  CAF_CHECK(!by_settings.address(call, {{"queue", "unknown"}}));
  // A child has the same.
  auto child = parse_runner_settings("n@h", to_child_settings(x)).value();
  CAF_CHECK(child.routing->address(call, {}));
  CAF_CHECK_EQUAL(call.queue, "q");
  std::vector<std::string> names{"mail", "other"};
  CAF_CHECK_EQUAL(check_queues(x, names).error().what,
                  "queue 'other' is not in task_queues, and "
                  "task_create_missing_queues is false");
  CAF_CHECK(check_queues(settings{}, names));
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_routes": {"t": {"queue": 7}}})"),
                  "setting 'task_routes' in conf.json: the queue of 't' is no "
                  "text");
  file(R"({"task_routes": null})");
  CAF_CHECK_EQUAL(to_json(find_setting("task_routes")->get(load())), "null");
}

CAF_TEST(where a queue is bound to if nothing is said) {
  file(R"({"task_default_exchange": "work", "task_default_exchange_type": "topic",
           "task_default_routing_key": "work.default",
           "task_queues": ["a", {"name": "b", "exchange": "x"},
                           {"name": "c", "exchange_type": "fanout"}]})");
  auto x = load();
  auto bound = [&](size_t i) {
    auto& queue = x.task_queues.at(i);
    return queue.exchange + ' ' + queue.exchange_type + ' ' + queue.routing_key;
  };
  CAF_CHECK_EQUAL(bound(0), "work topic work.default");
  CAF_CHECK_EQUAL(bound(1), "x direct work.default");
  CAF_CHECK_EQUAL(bound(2), "c fanout work.default");
  // Without task_queues it is the default one.
  file(R"({"task_default_queue": "q", "task_default_exchange_type": "topic",
           "task_default_routing_key": "q.default"})");
  x = load();
  CAF_REQUIRE_EQUAL(x.task_queues.size(), 1u);
  CAF_CHECK_EQUAL(bound(0), "q topic q.default");
  auto broker = to_broker_options(x);
  CAF_CHECK_EQUAL(broker.bindings.at("q").exchange_type, "topic");
  file(R"({"task_default_queue": "q"})");
  CAF_CHECK(load().task_queues.empty());
}

CAF_TEST(whether messages outlive a restart of their broker) {
  CAF_CHECK(settings{}.task_default_delivery_mode == delivery_mode::persistent);
  file(R"({"task_default_delivery_mode": "transient", "task_queues": ["a",
           {"name": "b", "delivery_mode": 2}, {"name": "c", "delivery_mode": "transient"}],
           "task_create_missing_queue_exchange_type": "topic"})");
  auto x = load();
  CAF_CHECK(x.task_default_delivery_mode == delivery_mode::transient);
  CAF_CHECK(!x.task_queues.at(0).delivery_mode);
  CAF_CHECK(x.task_queues.at(1).delivery_mode == delivery_mode::persistent);
  CAF_CHECK(x.task_queues.at(2).delivery_mode == delivery_mode::transient);
  auto known = to_routing(x).queues;
  CAF_CHECK(known.at("b").delivery_mode == delivery_mode::persistent);
  CAF_CHECK(to_routing(x).delivery_mode == delivery_mode::transient);
  CAF_CHECK_EQUAL(to_broker_options(x).missing_exchange_type, "topic");
}

CAF_TEST(how often a client publishes again) {
  CAF_CHECK_EQUAL(settings{}.task_publish_retry_policy.max_retries.value_or(0), 3u);
  file(R"({"task_publish_retry_policy": {"max_retries": null, "interval_start": 0.5,
           "interval_step": 1, "interval_max": 2}})");
  auto x = load();
  auto& policy = x.task_publish_retry_policy;
  CAF_CHECK(policy.allows(1'000'000));
  CAF_CHECK(policy.pause(0) == publish_retry_policy::seconds{0.5});
  CAF_CHECK(policy.pause(1) == publish_retry_policy::seconds{1.5});
  CAF_CHECK(policy.pause(9) == publish_retry_policy::seconds{2});
  file(R"({"task_publish_retry": false})");
  CAF_CHECK_EQUAL(to_app_options(load()).publish_retry.max_retries.value_or(9), 0u);
  CAF_CHECK_EQUAL(
      fault_in_file(R"({"task_publish_retry_policy": {"max_retires": 1}})"),
      "unknown setting 'task_publish_retry_policy.max_retires' in conf.json; did "
      "you mean 'max_retries'?");
}

CAF_TEST(queues are names or objects or a map) {
  file(R"({"task_queues": ["a", {"name": "b", "exchange": "x"}]})");
  auto x = load();
  CAF_REQUIRE_EQUAL(x.task_queues.size(), 2u);
  CAF_CHECK_EQUAL(x.task_queues[0].name, "a");
  CAF_CHECK_EQUAL(x.task_queues[0].exchange, "a");
  CAF_CHECK_EQUAL(x.task_queues[0].routing_key, "a");
  CAF_CHECK_EQUAL(x.task_queues[1].name, "b");
  CAF_CHECK_EQUAL(x.task_queues[1].exchange, "x");
  CAF_CHECK(warnings.empty());
  file(R"({"task_queues": {"a": {}, "b": {"routing_key": "b"}}})");
  CAF_CHECK_EQUAL(load().task_queues.size(), 2u);
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_queues": [{}]})"),
                  "setting 'task_queues[0]' in conf.json is {}; expected a "
                  "queue with a name");
  CAF_CHECK_EQUAL(fault_in_file(R"({"task_queues": [3]})"),
                  "setting 'task_queues[0]' in conf.json is 3; expected a "
                  "queue: a name, or an object");
}

CAF_TEST(a small number of seconds does not become zero) {
  file(R"({"result_expires": 0.2, "task_time_limit": 0.0001})");
  auto x = load();
  CAF_CHECK(x.result_expires == 1s);
  CAF_CHECK(x.task_time_limit == 1ms);
}

CAF_TEST(null is none where there is such a thing and else the default) {
  file(R"({"result_expires": null, "task_default_queue": null,
           "broker_connection_max_retries": null, "worker_pool": null})");
  auto x = load();
  CAF_CHECK(!x.result_expires.has_value());
  CAF_CHECK(!x.broker_connection_max_retries.has_value());
  CAF_CHECK_EQUAL(x.task_default_queue, "celery");
  CAF_CHECK_EQUAL(x.worker_pool, "prefork");
}

CAF_TEST(children learn what concerns tasks and no URL) {
  settings x;
  x.broker_url = "redis://:secret@host";
  x.result_backend = "redis://:secret@host";
  x.task_track_started = true;
  auto text = to_child_settings(x);
  CAF_CHECK(text.find("secret") == std::string::npos);
  auto object = json::parse(text).as_object();
  CAF_CHECK(object.at("task_track_started").as_bool());
  CAF_CHECK(!object.at("task_ignore_result").as_bool());
  CAF_CHECK(!object.at("task_store_errors_even_if_ignored").as_bool());
  CAF_CHECK(!object.at("result_extended").as_bool());
  CAF_CHECK(object.at("task_time_limit").is_null());
  CAF_CHECK(!object.contains("worker_concurrency"));
}

CAF_TEST(each row of the table is sound) {
  std::set<std::string_view> names;
  size_t implemented = 0;
  for (auto& row : setting_table()) {
    CAF_CHECK(names.insert(row.name).second);
    CAF_CHECK(find_setting(row.name) == &row);
    if (!row.old_name.empty())
      CAF_CHECK(find_old_setting(row.old_name) == &row);
    if (!row.implemented()) {
      boost::system::error_code ec;
      json::parse(row.default_json, ec);
      if (ec)
        CAF_ERROR(row.name << ": the default is not JSON");
      continue;
    }
    ++implemented;
    CAF_CHECK(!row.meaning.empty());
    // What `get` gives, `set` takes.
    settings x;
    auto value = row.get(x);
    auto done = row.set(x, value, {std::string{row.name}, "in a test"});
    if (!done)
      CAF_ERROR(row.name << ": " << done.error().what);
    CAF_CHECK(row.get(x) == value);
  }
  CAF_CHECK(implemented > 30);
  // The 198 of Celery 5.6 and its sections for daemons.
  CAF_CHECK(names.size() > 200);
}

CAF_TEST_FIXTURE_SCOPE_END()
