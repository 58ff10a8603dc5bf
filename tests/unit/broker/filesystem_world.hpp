// Folders of its own for each scenario. Time is real: leases are short, and
// scenarios wait for conditions.
#pragma once

#include "protocol/broker/filesystem/exchange.hpp"
#include "protocol/broker/filesystem/filesystem_broker.hpp"
#include "tests/unit/broker/scratch.hpp"
#include "tests/unit/broker/world.hpp"

#include <filesystem>

namespace umbel::test {

class filesystem_world : public real_world {
public:
  filesystem_world() {
    folder_ = new_scratch_folder();
    for (auto name : {"/data", "/control", "/results"})
      std::filesystem::create_directory(folder_ + name);
    // As a first peer makes the folders within.
    where_ = filesystem::open_folders(url(), {}).value();
  }

  filesystem_world(const filesystem_world&) = delete;
  filesystem_world& operator=(const filesystem_world&) = delete;

  ~filesystem_world() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const filesystem::folders& where() const {
    return where_;
  }

  std::string url() const override {
    return "filesystem://?data_folder_in=" + folder_
           + "/data&data_folder_out=" + folder_ + "/data&control_folder="
           + folder_ + "/control";
  }

  std::string result_url() const override {
    return "file://" + folder_ + "/results";
  }

  void bind(const std::string& exchange, const std::string& key, bool topic,
            const queue_name& queue) override {
    filesystem::bind(where_.control, exchange, key, topic ? "regex" : "", queue)
        .value();
  }

  // Python peers leave nothing behind here; what is planted is that of an Umbel
  // node that lives, but has forgotten it.
  void plant(const delivery_tag& tag, const queue_name& queue,
             const std::string& payload,
             std::chrono::milliseconds age) override {
    auto folder = where_.owner(tag.str());
    std::filesystem::create_directory(folder);
    filesystem::write_new(folder + "/lease", "").value();
    filesystem::set_time(folder + "/lease", timestamp{now() + 1h});
    auto path = folder + '/' + filesystem::digits(0) + ".0."
                + filesystem::new_name(queue, 0, filesystem::place::last);
    filesystem::write_new(path, payload).value();
    filesystem::set_time(path, timestamp{now() - age});
  }

  size_t unacknowledged() override {
    auto lock = filesystem::transaction::begin(where_.own, 10s).value();
    auto result = filesystem::list(where_.own + "/delayed").size();
    for (auto& owner : filesystem::list(where_.own + "/reserved"))
      for (auto& file :
           filesystem::list(where_.own + "/reserved/" + owner))
        result += file == "lease" ? 0 : 1;
    return result;
  }

private:
  std::string folder_;
  filesystem::folders where_;
};

} // namespace umbel::test
