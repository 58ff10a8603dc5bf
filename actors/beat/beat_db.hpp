// A schedule in a SQLite file (-s): one beat has it, and commands change it.
//
// The beat's lock goes with its process. A commit returns when the disk has it, so
// what was noted survives kill -9 and a power cut. A file that cannot be used is an
// error, and is left as it is.
#pragma once

#include "actors/locked_database.hpp"
#include "protocol/schedule/store.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace umbel {

class beat_db final : public schedule::store {
public:
  /// Opens the file, or makes it.
  /// @param role a beat is its owner, a command a guest
  /// @returns `invalid_setting` with path and reason
  static expected<std::unique_ptr<beat_db>>
  open(const std::string& path, database_role role = database_role::owner);

  std::string location() const override;
  expected<void> connect() override;
  expected<schedule::leadership> lead() override;
  std::chrono::milliseconds look_interval() const override;
  expected<schedule::stored_schedule> load() override;
  expected<std::vector<schedule::stored_entry>>
  load(std::span<const std::string> names) override;
  expected<bool> configure(const schedule::configuration_change& x) override;

  /// @returns `unavailable` if the disk is full or gone
  expected<bool> commit(std::span<const outgoing_message> messages,
                        const records& runs) override;

  expected<bool> put(const schedule::stored_entry& x, put_mode mode) override;
  expected<bool> remove(const std::string& name) override;
  expected<bool> request_run(const std::string& name) override;
  expected<std::string> zone() override;
  expected<std::string> leader() override;

private:
  beat_db(std::string path, locked_database file);

  bool about(std::string_view name, std::string& to);

  std::string path_;
  locked_database file_;
  int64_t seen_ = -1; ///< SQLite's data_version when changes were looked for
  bool leads_ = false;
};

} // namespace umbel
