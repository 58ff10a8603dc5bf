#define CAF_SUITE state_db

#include "actors/consumer/state_db.hpp"

#include "tests/unit/dsl.hpp"

#include <filesystem>
#include <fstream>

#include <stdlib.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  std::filesystem::path directory;
  std::string path;

  fixture() {
    char name[] = "/tmp/umbel-state-XXXXXX";
    directory = mkdtemp(name);
    path = directory / "state.db";
  }

  ~fixture() {
    std::filesystem::remove_all(directory);
  }

  std::unique_ptr<state_db> open(size_t max = 100) {
    auto result = state_db::open(path, max);
    CAF_REQUIRE(result.has_value());
    return std::move(*result);
  }

  /// The one line with which it is refused.
  std::string refused() {
    auto result = state_db::open(path, 100);
    CAF_REQUIRE(result.has_error());
    CAF_CHECK(result.error().what.find(path) != std::string::npos);
    CAF_CHECK(result.error().what.find('\n') == std::string::npos);
    return result.error().what;
  }

  std::string bytes() {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  void write(const std::string& text) {
    std::ofstream{path, std::ios::binary} << text;
  }
};

std::vector<state_db::entry> revoked(std::initializer_list<const char*> names,
                                     std::chrono::microseconds when) {
  std::vector<state_db::entry> result;
  for (auto name : names)
    result.emplace_back(name, timestamp{when});
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(state_db_tests, fixture)

CAF_TEST(what was saved is there in the next life) {
  CAF_CHECK(open()->load()->empty());
  {
    auto uut = open();
    CAF_REQUIRE(uut->save(revoked({"a", "b"}, 5us)).has_value());
    CAF_REQUIRE(uut->save(revoked({"a"}, 7us)).has_value());
    CAF_REQUIRE(uut->save({}).has_value());
  }
  auto found = open()->load().value();
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK_EQUAL(found[0].first.str(), "b");
  CAF_CHECK(found[0].second == timestamp{5us});
  CAF_CHECK_EQUAL(found[1].first.str(), "a");
  CAF_CHECK(found[1].second == timestamp{7us});
}

CAF_TEST(any text is an id) {
  std::string odd = "'; DROP TABLE revoked; --\n\xc3\xa9";
  open()->save(revoked({odd.c_str()}, 0us)).value();
  auto found = open()->load().value();
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK_EQUAL(found[0].first.str(), odd);
}

CAF_TEST(it keeps the youngest) {
  auto uut = open(2);
  uut->save(revoked({"a"}, 1us)).value();
  uut->save(revoked({"b", "c"}, 2us)).value();
  auto found = uut->load().value();
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK_EQUAL(found[0].first.str(), "b");
}

CAF_TEST(a file that is no database is left alone) {
  write("this is the operator's shopping list, and longer than a header of "
        "SQLite, which has one hundred bytes: bread, butter, celery, umbels");
  auto before = bytes();
  CAF_CHECK(refused().find("not a database") != std::string::npos);
  CAF_CHECK_EQUAL(bytes(), before);
}

CAF_TEST(a damaged file is left alone) {
  std::vector<state_db::entry> many;
  for (int i = 0; i < 500; ++i)
    many.emplace_back(std::to_string(i), timestamp{});
  open(500)->save(many).value();
  auto text = bytes();
  std::fill(text.begin() + 4'096, text.begin() + 8'192, '\xff');
  write(text);
  refused();
  CAF_CHECK_EQUAL(bytes(), text);
}

CAF_TEST(a directory and a missing one are refused) {
  std::filesystem::create_directory(path);
  CAF_CHECK(refused().find("unable to open") != std::string::npos);
  path += "/no/such/file";
  refused();
}

CAF_TEST(another worker has it) {
  auto uut = open();
  CAF_CHECK(refused().find("another process uses it") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
