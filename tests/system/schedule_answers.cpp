// Answers questions about schedules, one JSON object a line:
//
//   {"schedule": ..., "zone": "Europe/Berlin", "last_run": us, "now": us,
//    "relative": false, "deadline": null or us}
//
// with {"due": bool, "next": us, "remaining": us} or {"error": text}. Times are
// microseconds since 1970.
#include "protocol/schedule/schedule.hpp"

#include <iostream>
#include <string>

using namespace umbel;

namespace {

json::object answer(const json::object& question) {
  auto time = [&](const char* name) {
    return timestamp{std::chrono::microseconds{question.at(name).as_int64()}};
  };
  auto zone = schedule::time_zone::find(
    std::string{question.at("zone").as_string()});
  if (!zone)
    return {{"error", zone.error().what}};
  auto x = schedule::parse_schedule(question.at("schedule"),
                                    question.at("relative").as_bool(), *zone);
  if (!x)
    return {{"error", x.error().what}};
  std::optional<std::chrono::microseconds> deadline;
  if (auto& value = question.at("deadline"); !value.is_null())
    deadline = std::chrono::microseconds{value.as_int64()};
  auto last_run = time("last_run");
  auto now = time("now");
  auto state = schedule::is_due(*x, last_run, now, deadline);
  return {{"due", state.due},
          {"next", state.next.count()},
          {"remaining",
           schedule::remaining_estimate(*x, last_run, now).count()}};
}

} // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    auto question = parse_json(line);
    if (!question) {
      std::cerr << question.error().what << '\n';
      return 1;
    }
    std::cout << to_json(answer(question->as_object())) << '\n';
  }
}
