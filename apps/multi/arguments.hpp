// The command line of `umbel multi`, as Celery reads it: names of nodes, options
// for all of them, and options for some of them.
//
//     multi start w1 w2 -c 3 -c:w1 10 --pidfile=%n.pid -- worker.x=1
//
// A value: no files, no processes.
#pragma once

#include "protocol/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbel::multi {

/// What is wrong with a command line.
error invalid(std::string what);

/// Options in the order in which they were first given, each once: the last
/// value counts. Names have their dashes; a flag has no value.
class option_list {
public:
  using value_type = std::pair<std::string, std::string>;

  /// Keeps the place of an option that is there.
  void set(const std::string& name, std::string value);

  void set_all(const option_list& xs);

  /// @returns null if it is not there
  const std::string* find(const std::string& name) const;

  /// Removes it. @returns its value, nothing if it was not there
  std::optional<std::string> take(const std::string& name);

  auto begin() const noexcept {
    return items_.begin();
  }

  auto end() const noexcept {
    return items_.end();
  }

private:
  std::vector<value_type> items_;
};

struct arguments {
  std::vector<std::string> names;
  option_list options;
  /// By what stands after the colon: "w1", "1-3", "1,3".
  std::map<std::string, option_list> for_nodes;
  /// In the order in which they appeared.
  std::vector<std::string> node_sets;
  std::vector<std::string> passed_on; ///< from "--" on

  /// Adds to the options of one node, or of one set of nodes.
  option_list& options_for(const std::string& nodes);
};

/// @param args what follows the command: "w1", "-c:1", "3"
/// @returns `invalid_setting` for an option that cannot be read
expected<arguments> parse(const std::vector<std::string>& args);

/// The last of the arguments that names a signal: "-9", "-KILL", "-SIGINT".
/// @param names how many of `args` are names of nodes
std::optional<int> signal_in(const std::vector<std::string>& args,
                             size_t names);

/// Whether an option is one of those: "-KILL".
std::optional<int> signal_number(const std::string& option);

/// "KILL".
std::string signal_name(int number);

} // namespace umbel::multi
