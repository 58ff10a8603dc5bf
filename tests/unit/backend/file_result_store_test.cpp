// Results as files, and who waits for them.
#define CAF_SUITE file_result_store

#include "tests/unit/dsl.hpp"

#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/result_store.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <stdlib.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// An empty folder, a store and a listener that are told of it.
class results_fixture {
public:
  results_fixture() {
    auto pattern
      = (std::filesystem::temp_directory_path() / "umbel-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("no folder for results");
    folder = pattern;
    store = connect_result_store("file://" + folder, {}).value();
    listener = connect_result_listener("file://" + folder, {}).value();
  }

  ~results_fixture() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void put(const std::string& id, const std::string& document) {
    result_record x{task_id{id}, document};
    CAF_REQUIRE(store->store({&x, 1}).has_value());
  }

  /// As Celery does: it writes into the file itself.
  void put_by_celery(const std::string& id, const std::string& document) {
    std::ofstream{folder + "/celery-task-meta-" + id} << document;
  }

  void subscribe(const std::string& id) {
    task_id x{id};
    CAF_REQUIRE(listener->subscribe({&x, 1}).has_value());
  }

  /// Ids of what comes, one wait.
  std::vector<std::string> wait(std::chrono::milliseconds timeout) {
    std::vector<std::string> result;
    for (auto& x : listener->wait(timeout).value())
      result.push_back(x.id.str());
    return result;
  }

  std::string folder;
  std::unique_ptr<result_store> store;
  std::unique_ptr<result_listener> listener;
};

using ids = std::vector<std::string>;

constexpr auto success = R"({"status": "SUCCESS", "result": 1})";
constexpr auto started = R"({"status": "STARTED", "result": null})";

} // namespace

CAF_TEST_FIXTURE_SCOPE(file_results, results_fixture)

CAF_TEST(a_result_that_is_stored_between_two_waits_is_heard_of) {
  subscribe("1");
  put("1", success);
  CAF_CHECK(wait(10s) == ids{"1"});
  CAF_CHECK(wait(0ms).empty());
}

CAF_TEST(celerys_files_are_heard_of) {
  subscribe("1");
  put_by_celery("1", success);
  CAF_CHECK(wait(10s) == ids{"1"});
}

CAF_TEST(each_state_is_heard_of) {
  subscribe("1");
  put("1", started);
  CAF_CHECK(wait(10s) == ids{"1"});
  put("1", success);
  auto last = listener->wait(10s).value();
  CAF_REQUIRE_EQUAL(last.size(), 1u);
  CAF_CHECK_EQUAL(last.front().document, success);
}

CAF_TEST(what_nobody_asked_for_ends_no_wait) {
  subscribe("1");
  subscribe("2");
  task_id second{"2"};
  CAF_CHECK(listener->unsubscribe({&second, 1}).has_value());
  put("2", success);
  put("3", success);
  CAF_CHECK(wait(0ms).empty());
  put("1", success);
  CAF_CHECK(wait(10s) == ids{"1"});
}

CAF_TEST(many_results_come_with_few_waits) {
  ids expected;
  for (auto i = 0; i < 500; ++i) {
    expected.push_back(std::to_string(i));
    subscribe(expected.back());
  }
  for (auto& id : expected)
    put(id, success);
  ids heard;
  auto waits = 0;
  while (heard.size() < expected.size() && waits < 100) {
    for (auto& id : wait(10s))
      heard.push_back(id);
    ++waits;
  }
  std::ranges::sort(expected);
  std::ranges::sort(heard);
  CAF_CHECK(heard == expected);
  CAF_CHECK_LESS(waits, 50);
}

CAF_TEST(an_interrupt_ends_a_wait_that_begins_later) {
  listener->interrupt();
  CAF_CHECK(wait(1min).empty());
}

CAF_TEST(a_wait_in_progress_is_woken_by_another_thread) {
  subscribe("1");
  std::thread writer{[this] { put_by_celery("1", success); }};
  CAF_CHECK(wait(10s) == ids{"1"});
  writer.join();
}

CAF_TEST(a_folder_that_is_removed_is_an_error) {
  subscribe("1");
  std::filesystem::remove_all(folder);
  auto x = listener->wait(10s);
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().code == errc::unavailable);
  auto text = x.error().what;
  CAF_CHECK(text.find("was removed") != text.npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
