#include "protocol/task/types.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace umbel {

namespace {

[[noreturn]] void overflow(int64_t x, char sign, int64_t y) {
  throw std::overflow_error(
      fmt::format("{} {} {} does not fit 64 bits", x, sign, y));
}

} // namespace

number operator+(number x, number y) {
  if (!x.is_integer() || !y.is_integer())
    return x.real() + y.real();
  int64_t result = 0;
  if (__builtin_add_overflow(x.integer(), y.integer(), &result))
    overflow(x.integer(), '+', y.integer());
  return result;
}

number operator-(number x, number y) {
  if (!x.is_integer() || !y.is_integer())
    return x.real() - y.real();
  int64_t result = 0;
  if (__builtin_sub_overflow(x.integer(), y.integer(), &result))
    overflow(x.integer(), '-', y.integer());
  return result;
}

number operator*(number x, number y) {
  if (!x.is_integer() || !y.is_integer())
    return x.real() * y.real();
  int64_t result = 0;
  if (__builtin_mul_overflow(x.integer(), y.integer(), &result))
    overflow(x.integer(), '*', y.integer());
  return result;
}

} // namespace umbel
