#include "protocol/schedule/operations.hpp"

#include "protocol/client/nearest.hpp"

#include <algorithm>

namespace umbel::schedule {

expected<operations> operations::begin(store& at,
                                       const time_zone& own_zone) {
  operations result{at};
  result.zone_ = own_zone;
  if (auto done = at.connect(); !done)
    return done.error();
  auto zone = at.zone();
  if (!zone)
    return zone.error();
  if (!zone->empty())
    if (auto theirs = time_zone::find(*zone))
      result.zone_ = *theirs;
  auto leader = at.leader();
  if (!leader)
    return leader.error();
  result.leader_ = std::move(*leader);
  return result;
}

/// Reads the definition, and computes when it is due next.
entry_status operations::status_of(stored_entry x) const {
  entry_status result;
  auto object = parse_json(x.definition);
  auto parsed = object ? parse_entry(x.name, *object, zone_)
                       : expected<entry>{object.error()};
  if (!parsed)
    result.fault = parsed.error().what;
  else
    result.what = std::move(*parsed);
  auto begin = std::max(x.runs.last_run_at, x.changed_at);
  if (result.what && x.enabled && begin != timestamp{})
    result.next = schedule::next(result.what->when, begin);
  if (result.next == timestamp::max())
    result.next.reset();
  result.stored = std::move(x);
  return result;
}

expected<std::vector<entry_status>> operations::list() const {
  auto stored = store_->load();
  if (!stored)
    return stored.error();
  std::vector<entry_status> result;
  for (auto& x : stored->entries)
    result.push_back(status_of(std::move(x)));
  std::ranges::sort(
      result, {}, [](auto& x) -> const std::string& { return x.stored.name; });
  return result;
}

/// The error, with a guess.
error operations::unknown(const std::string& name) const {
  auto all = store_->load();
  if (!all)
    return all.error();
  std::vector<std::string_view> names;
  for (auto& x : all->entries)
    names.push_back(x.name);
  auto what = "there is no entry '" + name + '\'';
  if (auto meant = nearest(name, names))
    what += "; did you mean '" + std::string{*meant} + "'?";
  else
    what += all->entries.empty() ? "; there is none at all" : "";
  return error{errc::not_found, what};
}

expected<entry_status> operations::find(const std::string& name) const {
  auto found = store_->load({&name, 1});
  if (!found)
    return found.error();
  if (!found->empty())
    return status_of(std::move(found->front()));
  return unknown(name);
}

expected<entry_status> operations::add(const std::string& name,
                                       const json::value& definition,
                                       bool replace, timestamp now) {
  if (name.empty())
    return error{errc::invalid_setting, "an entry has to have a name"};
  auto parsed = parse_entry(name, definition, zone_);
  if (!parsed)
    return parsed.error();
  stored_entry x;
  x.name = name;
  x.definition = parsed->definition;
  x.live = true;
  x.changed_at = now;
  auto mode = replace ? store::put_mode::any : store::put_mode::add;
  auto done = store_->put(x, mode);
  if (!done)
    return done.error();
  if (!*done)
    return error{errc::refused, "there is an entry '" + name
                                    + "' already; --replace puts this "
                                      "one in its place"};
  return find(name);
}

expected<void> operations::remove(const std::string& name) {
  auto found = find(name);
  if (!found)
    return found.error();
  if (!found->stored.live)
    return error{errc::refused,
                 "entry '" + name
                     + "' comes from the configuration: take it out "
                       "there, or disable it"};
  auto done = store_->remove(name);
  if (!done)
    return done.error();
  return {};
}

expected<entry_status> operations::enable(const std::string& name, bool enabled,
                                          timestamp now) {
  auto found = find(name);
  if (!found)
    return found.error();
  auto& x = found->stored;
  if (x.enabled == enabled)
    return found;
  x.enabled = enabled;
  x.changed_at = now;
  auto done = store_->put(x, store::put_mode::replace);
  if (!done)
    return done.error();
  if (!*done) // removed meanwhile
    return unknown(name);
  return find(name);
}

expected<void> operations::run_now(const std::string& name) {
  auto done = store_->request_run(name);
  if (!done)
    return done.error();
  if (!*done)
    return unknown(name);
  return {};
}

std::string describe_schedule(std::string_view definition) {
  auto object = parse_json(definition);
  auto members = object ? object->if_object() : nullptr;
  auto when = members ? members->if_contains("schedule") : nullptr;
  if (!when)
    return "?";
  if (when->is_number())
    return "every " + to_json(*when) + " s";
  if (auto kind = when->if_object(); kind && kind->size() == 1) {
    auto& [name, value] = *kind->begin();
    return std::string{name} + ' '
           + (value.is_string() ? std::string{value.get_string()}
                                : to_json(value));
  }
  return to_json(*when);
}

} // namespace umbel::schedule
