#include "protocol/control/elected_task.hpp"

#include "protocol/control/arguments.hpp"
#include "protocol/message/time.hpp"

#include <utility>

namespace umbel {

namespace {

error refused(errc code, const std::string& why) {
  return {code, "the elected task cannot be sent: " + why};
}

/// Whoever applies passes over a time that is none; what strangers sent would run at
/// once then.
expected<void> check_times(const canvas::signature& x) {
  for (auto key : {"eta", "countdown", "expires"}) {
    auto* time = x.find_option(key);
    if (!time)
      continue;
    auto known = time->is_string()
                   ? parse_time(x.option(key)).has_value()
                   : remote::read_seconds(x.options, key).has_value();
    if (!known)
      return refused(errc::malformed,
                     std::string{key} + " is neither a time nor seconds: "
                       + python_repr(*time, 40));
  }
  return {};
}

} // namespace

expected<void> apply_elected(canvas::application& to, const json::value& signature,
                             const canvas::origin& from) {
  auto parsed = canvas::parse_signature(signature);
  if (!parsed)
    return refused(errc::malformed, parsed.error().what);
  expected<void> good;
  canvas::for_each_task(*parsed, [&](canvas::signature& task) {
    if (good)
      good = check_times(task);
  });
  if (!good)
    return good;
  canvas::applier{to, from}.apply(std::move(*parsed));
  if (to.failure)
    return refused(to.failure->code, to.failure->what);
  if (to.impossible)
    return refused(errc::unsupported, std::string{no_chords});
  return {};
}

} // namespace umbel
