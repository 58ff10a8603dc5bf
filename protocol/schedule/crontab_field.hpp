// One of the five fields of a crontab, in Celery's grammar
// (celery.schedules.crontab_parser):
//
//   field = part *( "," part )        union
//   part  = "*" [ "/" step ]          all, or every step-th of all
//         | number                    one
//         | number "-" number [ "/" step ]   a range, which may wrap: 22-2
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <bit>
#include <cstdint>
#include <string_view>

namespace umbel::schedule {

/// What a field counts, and its bounds, both included.
struct field_kind {
  std::string_view name; ///< Celery's: "minute"
  int min;
  int max;
};

inline constexpr field_kind minutes_field{"minute", 0, 59};
inline constexpr field_kind hours_field{"hour", 0, 23};
inline constexpr field_kind weekdays_field{"day_of_week", 0, 6}; ///< 0: Sunday
inline constexpr field_kind days_field{"day_of_month", 1, 31};
inline constexpr field_kind months_field{"month_of_year", 1, 12};

/// A set of numbers below 64.
class number_set {
public:
  void add(int x) {
    bits_ |= uint64_t{1} << x;
  }

  bool has(int x) const {
    return (bits_ >> x & 1) != 0;
  }

  bool empty() const {
    return bits_ == 0;
  }

  int size() const {
    return std::popcount(bits_);
  }

  /// The smallest number from `x` up, or -1.
  int from(int x) const {
    auto rest = x < 64 ? bits_ >> x : 0;
    return rest == 0 ? -1 : x + std::countr_zero(rest);
  }

  friend bool operator==(const number_set&, const number_set&) = default;

private:
  uint64_t bits_ = 0;
};

/// Names of days ("mon", "Monday") and months ("jan", "January") are known in
/// their own fields; as in Celery their first three letters count.
/// @returns `invalid_setting` with field, part and what is wrong
expected<number_set> parse_field(const field_kind& kind, std::string_view text);

/// A number, text as above, or a list of numbers and texts.
expected<number_set> parse_field(const field_kind& kind, const json::value& x);

} // namespace umbel::schedule
