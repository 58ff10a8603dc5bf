// The file of an embedded broker, in a folder that goes with it.
#pragma once

#include "protocol/broker/sqlite/database.hpp"
#include "tests/unit/broker/scratch.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace umbel::test {

class sqlite_file {
public:
  sqlite_file() = default;

  sqlite_file(const sqlite_file&) = delete;
  sqlite_file& operator=(const sqlite_file&) = delete;

  ~sqlite_file() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const std::string& folder() const {
    return folder_;
  }

  std::string path() const {
    return folder_ + "/broker.db";
  }

  std::string url() const {
    return "sqlite://" + path();
  }

  std::unique_ptr<sqlite::database> open() const {
    return sqlite::open_database(url(), {}).value();
  }

private:
  std::string folder_ = new_scratch_folder();
};

} // namespace umbel::test
