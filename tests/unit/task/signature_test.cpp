#define CAF_SUITE signature

#include "tests/unit/dsl.hpp"

#include "protocol/task/exceptions.hpp"
#include "protocol/task/signature.hpp"

using namespace umbel;

namespace {

/// add(x, y)
signature add() {
  return {"add", {{"x", true, {}}, {"y", true, {}}}, false, false};
}

/// The values by parameter, then the rest; or the message of the TypeError.
std::string call(const signature& to, const json::array& args,
                 const json::object& kwargs = {}) {
  std::vector<const json::value*> values(to.parameters.size());
  try {
    auto bound = match_call(to, args, kwargs, values);
    std::string result;
    for (auto* x : bound.values)
      result += json::serialize(*x) + " ";
    for (auto& x : bound.varargs)
      result += "*" + json::serialize(x) + " ";
    for (auto& [key, x] : bound.kwargs)
      result += std::string{key} + "=" + json::serialize(x) + " ";
    return result;
  } catch (const wrong_call& e) {
    return e.what();
  }
}

} // namespace

CAF_TEST(arguments match by position and by name) {
  CAF_CHECK_EQUAL(call(add(), {1, 2}), "1 2 ");
  CAF_CHECK_EQUAL(call(add(), {1}, {{"y", 2}}), "1 2 ");
  CAF_CHECK_EQUAL(call(add(), {}, {{"y", 2}, {"x", 1}}), "1 2 ");
}

CAF_TEST(defaults fill what is missing) {
  signature power{"power", {{"x", true, {}}, {"n", false, 2}}, false, false};
  CAF_CHECK_EQUAL(call(power, {7}), "7 2 ");
  CAF_CHECK_EQUAL(call(power, {7, 3}), "7 3 ");
  CAF_CHECK_EQUAL(call(power, {}, {{"x", 7}}), "7 2 ");
}

CAF_TEST(the rest goes to varargs and kwargs) {
  signature all{"f", {{"x", true, {}}}, true, true};
  CAF_CHECK_EQUAL(call(all, {1, 2, 3}, {{"k", 4}}), "1 *2 *3 k=4 ");
  CAF_CHECK_EQUAL(call(all, {1}), "1 ");
}

// Each message was compared with that of Python 3.11 for the same call.
CAF_TEST(a wrong call reads as in Python) {
  CAF_CHECK_EQUAL(call(add(), {1}),
                  "add() missing 1 required positional argument: 'y'");
  CAF_CHECK_EQUAL(call(add(), {}),
                  "add() missing 2 required positional arguments: 'x' and 'y'");
  CAF_CHECK_EQUAL(call(add(), {1, 2, 3}),
                  "add() takes 2 positional arguments but 3 were given");
  CAF_CHECK_EQUAL(call(add(), {1, 2}, {{"z", 3}}),
                  "add() got an unexpected keyword argument 'z'");
  CAF_CHECK_EQUAL(call(add(), {1, 2}, {{"x", 3}}),
                  "add() got multiple values for argument 'x'");
  signature three{
      "f", {{"x", true, {}}, {"y", true, {}}, {"z", true, {}}}, false, false};
  CAF_CHECK_EQUAL(call(three, {}),
                  "f() missing 3 required positional arguments: "
                  "'x', 'y', and 'z'");
  signature none{"noop", {}, false, false};
  CAF_CHECK_EQUAL(call(none, {1}),
                  "noop() takes 0 positional arguments but 1 was given");
  signature one{"f", {{"x", true, {}}}, false, false};
  CAF_CHECK_EQUAL(call(one, {1, 2}),
                  "f() takes 1 positional argument but 2 were given");
  signature either{"f", {{"x", true, {}}, {"n", false, 2}}, false, false};
  CAF_CHECK_EQUAL(
      call(either, {1, 2, 3}),
      "f() takes from 1 to 2 positional arguments but 3 were given");
}
