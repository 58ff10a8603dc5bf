#include "protocol/schedule/interval.hpp"

namespace umbel::schedule {

timestamp interval::next(timestamp last_run) const {
  using namespace std::chrono;
  auto due = last_run + every;
  if (!relative)
    return due;
  auto wall = zone.to_wall(due);
  wall_time rounded = every >= days{1}      ? floor<days>(wall)
                      : every >= hours{1}   ? floor<hours>(wall)
                      : every >= minutes{1} ? floor<minutes>(wall)
                                            : floor<seconds>(wall);
  auto result = zone.first_time(rounded);
  // Clocks that go back may show the rounded time before the last run.
  return result > last_run ? result : due;
}

} // namespace umbel::schedule
