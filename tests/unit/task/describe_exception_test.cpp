#define CAF_SUITE describe_exception

#include "tests/unit/dsl.hpp"

#include "protocol/task/describe_exception.hpp"
#include "protocol/task/exceptions.hpp"

#include <filesystem>
#include <future>
#include <stdexcept>
#include <system_error>

namespace shop::stock {

struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct unknown_thing {};

} // namespace shop::stock

struct nameless : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using namespace umbel;

namespace {

template <class T>
exception_info describe(T&& x) {
  return describe_exception(std::make_exception_ptr(std::forward<T>(x)),
                            "tasks.t[id]");
}

/// "module.type args"
template <class T>
std::string in_short(T&& x) {
  auto info = describe(std::forward<T>(x));
  return info.module + "." + info.type + " " + json::serialize(info.args);
}

} // namespace

CAF_TEST(the standard exceptions have Python names) {
  using namespace std;
  CAF_CHECK_EQUAL(in_short(runtime_error("x")),
                  "builtins.RuntimeError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(logic_error("x")), "builtins.RuntimeError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(invalid_argument("x")),
                  "builtins.ValueError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(domain_error("x")), "builtins.ValueError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(length_error("x")), "builtins.ValueError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(out_of_range("x")), "builtins.IndexError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(overflow_error("x")),
                  "builtins.OverflowError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(range_error("x")),
                  "builtins.ArithmeticError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(underflow_error("x")),
                  "builtins.ArithmeticError [\"x\"]");
  CAF_CHECK_EQUAL(in_short(bad_alloc()), "builtins.MemoryError []");
  CAF_CHECK_EQUAL(in_short(bad_cast()),
                  "builtins.TypeError [\"std::bad_cast\"]");
  CAF_CHECK_EQUAL(describe(future_error(future_errc::no_state)).type,
                  "RuntimeError");
}

CAF_TEST(errors of the system are an OSError with its number) {
  std::error_code code{ENOENT, std::generic_category()};
  auto info = describe(std::system_error(code, "open x"));
  CAF_CHECK_EQUAL(info.type, "OSError");
  CAF_CHECK_EQUAL(info.args[0].as_int64(), ENOENT);
  CAF_CHECK_EQUAL(info.args[1].as_string(),
                  "open x: No such file or directory");
  std::filesystem::filesystem_error file("cannot", "/x", code);
  CAF_CHECK_EQUAL(describe(file).type, "OSError");
}

CAF_TEST(types of the author keep their name) {
  CAF_CHECK_EQUAL(in_short(shop::stock::out_of_stock("tea")),
                  "shop.stock.out_of_stock [\"tea\"]");
  CAF_CHECK_EQUAL(in_short(nameless("x")), "umbel.nameless [\"x\"]");
  CAF_CHECK_EQUAL(in_short(shop::stock::unknown_thing{}),
                  "shop.stock.unknown_thing [\"unknown\"]");
  CAF_CHECK_EQUAL(in_short(5), "builtins.RuntimeError [5]");
  CAF_CHECK_EQUAL(in_short("text"), "builtins.RuntimeError [\"text\"]");
}

CAF_TEST(an author can choose the name) {
  CAF_CHECK_EQUAL(
      in_short(umbel::exception("KeyError", {"colour", 2}, "shop.py")),
      "shop.py.KeyError [\"colour\",2]");
  CAF_CHECK_EQUAL(in_short(soft_time_limit_exceeded{}),
                  "billiard.exceptions.SoftTimeLimitExceeded []");
  CAF_CHECK_EQUAL(std::string{umbel::exception("KeyError", {"x", 2}).what()},
                  "('x', 2)");
}

CAF_TEST(the traceback tells task and C++ type and nested causes) {
  std::exception_ptr nested;
  try {
    try {
      throw std::out_of_range("inner");
    } catch (...) {
      std::throw_with_nested(shop::stock::out_of_stock("outer"));
    }
  } catch (...) {
    nested = std::current_exception();
  }
  auto info = describe_exception(nested, "tasks.t[id]");
  CAF_CHECK_EQUAL(info.module, "shop.stock");
  CAF_CHECK_EQUAL(info.type, "out_of_stock");
  CAF_CHECK_EQUAL(info.traceback, "  In task tasks.t[id]\n"
                                  "shop::stock::out_of_stock: outer\n"
                                  "  caused by std::out_of_range: inner");
  CAF_CHECK_EQUAL(describe(std::invalid_argument("why")).traceback,
                  "  In task tasks.t[id]\n"
                  "std::invalid_argument: why\n"
                  "ValueError('why')");
}
