// Parameter and result types that JSON and C++ lack between them.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace umbel {

/// Binary data: kombu's `bytes` and `base64`, or the bytes of a plain string.
using bytes = std::vector<std::byte>;

/// A parameter that takes the positional arguments that are left: Python's
/// `*args`.
struct varargs {
  json::array values;
};

/// A parameter that takes the named arguments that are left: Python's
/// `**kwargs`.
struct kwargs {
  json::object values;
};

/// A number as Python and JSON have it: an integer stays one as long as all
/// operands are, and otherwise it is a double. Arithmetic that leaves 64 bits
/// throws std::overflow_error rather than losing digits.
class number {
public:
  number() = default;

  number(int64_t x) : value_(x) {
  }

  number(int x) : value_(int64_t{x}) {
  }

  number(double x) : value_(x) {
  }

  bool is_integer() const noexcept {
    return value_.index() == 0;
  }

  int64_t integer() const {
    return std::get<int64_t>(value_);
  }

  double real() const noexcept {
    return is_integer() ? static_cast<double>(std::get<int64_t>(value_))
                        : std::get<double>(value_);
  }

  friend number operator+(number x, number y);
  friend number operator-(number x, number y);
  friend number operator*(number x, number y);

  number& operator+=(number x) {
    return *this = *this + x;
  }

  friend bool operator==(const number& x, const number& y) noexcept {
    return x.is_integer() && y.is_integer() ? x.integer() == y.integer()
                                            : x.real() == y.real();
  }

private:
  std::variant<int64_t, double> value_ = int64_t{0};
};

} // namespace umbel
