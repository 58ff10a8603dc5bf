// The commands of those who send tasks and look at what has become of them:
//
//   result   a task's state and result
//   purge    deletes what waits in queues
//   migrate  moves what waits from one broker to another
//   report   what a bug report should say of the settings and the system
//   list     bindings of queues
//   graph    a picture of the cluster
//   amqp     looks after exchanges and queues
#pragma once

#include "apps/client/migrate_command.hpp"
#include "apps/options.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class client_commands {
public:
  /// Adds them to the command line. @pre `given` and this object outlive it
  void add(CLI::App& root, const std::string& program, options& given);

  const std::vector<CLI::App*>& all() const noexcept {
    return all_;
  }

  /// Carries out the one that was given. @returns its exit status, or nothing if
  /// it was none of these
  std::optional<int> run(const std::string& program, const options& given);

private:
  struct result_options {
    std::string id;
    bool traceback = false;
    bool wait = false;
    std::optional<std::chrono::milliseconds> timeout;
  };
  struct purge_options {
    std::vector<std::string> queues;
    std::vector<std::string> excluded;
    bool force = false;
  };

  void add_result(CLI::App& root, options& given);
  void add_queues(CLI::App& root, options& given);
  void add_migrate_options();
  void add_broker(CLI::App& root, options& given);

  CLI::App* add_command(CLI::App& root, options& given, const char* name,
                        const char* meaning, const char* usage);

  CLI::App* result_ = nullptr;
  CLI::App* purge_ = nullptr;
  CLI::App* migrate_ = nullptr;
  CLI::App* report_ = nullptr;
  CLI::App* list_ = nullptr;
  CLI::App* graph_ = nullptr;
  CLI::App* amqp_ = nullptr;
  std::vector<CLI::App*> all_;
  std::string program_;
  result_options asked_;
  purge_options purged_;
  client::migrate_options moved_;
  std::vector<std::string> words_; ///< of list, graph and amqp
  std::chrono::milliseconds patience_{1'000}; ///< of graph
};

} // namespace umbel
