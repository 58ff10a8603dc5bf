// Settings of what is sent, and where to.
#include "protocol/canvas/router.hpp"
#include "protocol/client/setting_value.hpp"

namespace umbel::detail {

// -- task_routes ----------------------------------------------------------------

expected<void> setting_value<routes_setting>::set(routes_setting& x,
                                                  const json::value& value,
                                                  const setting_origin& origin,
                                                  bounds) {
  if (auto good = router::parse(value); !good)
    return error{errc::invalid_setting, "setting '" + origin.name + "' "
                                          + origin.where + ": "
                                          + good.error().what};
  x.text = value;
  return {};
}

json::value setting_value<routes_setting>::get(const routes_setting& x) {
  return x.text;
}

// -- task_publish_retry_policy --------------------------------------------------

using interval = setting_value<std::chrono::milliseconds>;

expected<void> setting_value<publish_retry_policy>::set(
    publish_retry_policy& x, const json::value& value,
    const setting_origin& origin, bounds) {
  using seconds = publish_retry_policy::seconds;
  if (!value.is_object())
    return wrong_value(origin, value, "an object");
  publish_retry_policy to;
  const std::pair<std::string_view, seconds*> intervals[] = {
      {"interval_start", &to.interval_start},
      {"interval_step", &to.interval_step},
      {"interval_max", &to.interval_max}};
  constexpr std::string_view names[] = {"max_retries", "interval_start",
                                        "interval_step", "interval_max"};
  constexpr std::string_view without_effect[] = {"retry_errors", "errback"};
  for (auto& [key, member] : value.get_object()) {
    auto here = origin;
    here.name += '.' + std::string{key};
    auto known = std::ranges::find(intervals, std::string_view{key},
                                      [](auto& x) { return x.first; });
    expected<void> done;
    if (key == "max_retries") {
      done = setting_value<std::optional<size_t>>::set(to.max_retries, member,
                                                       here, {});
    } else if (known != std::end(intervals)) {
      std::chrono::milliseconds given{0};
      done = interval::set(given, member, here, {});
      *known->second = given;
    } else {
      done = other_member(key, names, without_effect, origin);
    }
    if (!done)
      return done;
  }
  x = to;
  return {};
}

json::value
setting_value<publish_retry_policy>::get(const publish_retry_policy& x) {
  auto shown = [](publish_retry_policy::seconds y) {
    return interval::get(std::chrono::round<std::chrono::milliseconds>(y));
  };
  return json::object{
      {"max_retries",
       setting_value<std::optional<size_t>>::get(x.max_retries)},
      {"interval_start", shown(x.interval_start)},
      {"interval_step", shown(x.interval_step)},
      {"interval_max", shown(x.interval_max)}};
}

} // namespace umbel::detail
