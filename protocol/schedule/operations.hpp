// What operators do to a schedule, whether a beat is running or not: a running one
// notices it within a second (store::look_interval).
#pragma once

#include "protocol/schedule/entry.hpp"
#include "protocol/schedule/store.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::schedule {

/// One entry as an operator sees it.
struct entry_status {
  stored_entry stored;
  std::string fault; ///< why its definition cannot be read; empty: it can
  std::optional<entry> what;     ///< unless there is a fault
  std::optional<timestamp> next; ///< nothing: disabled, faulty or never again
};

/// An operator at a store.
class operations {
public:
  /// Reads who is there.
  /// @param own_zone in which crontabs count if no beat has led yet
  /// @returns errors of the store
  static expected<operations> begin(store& at, const time_zone& own_zone);

  /// Who leads; empty: no beat is running.
  const std::string& leader() const noexcept {
    return leader_;
  }

  const time_zone& zone() const noexcept {
    return zone_;
  }

  /// By name.
  expected<std::vector<entry_status>> list() const;

  /// @returns `not_found`, with a name that may be meant
  expected<entry_status> find(const std::string& name) const;

  /// @param definition an object as in `beat_schedule`
  /// @param replace there may be one of this name
  /// @returns `invalid_setting`; `refused` if there is one
  expected<entry_status> add(const std::string& name,
                             const json::value& definition, bool replace,
                             timestamp now);

  /// @returns `not_found`; `refused` for an entry of the configuration
  expected<void> remove(const std::string& name);

  /// While it is disabled it is not due; what passes meanwhile does not count.
  expected<entry_status> enable(const std::string& name, bool enabled,
                                timestamp now);

  /// One more task at once; its due times stay as they are.
  expected<void> run_now(const std::string& name);

private:
  explicit operations(store& at) : store_(&at) {
  }

  entry_status status_of(stored_entry x) const;
  error unknown(const std::string& name) const;

  store* store_;
  time_zone zone_;
  std::string leader_;
};

/// "every 30 seconds", "crontab 0 4 * * mon-fri": how its definition says it.
std::string describe_schedule(std::string_view definition);

} // namespace umbel::schedule
