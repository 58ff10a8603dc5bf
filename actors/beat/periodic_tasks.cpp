#include "actors/beat/periodic_tasks.hpp"

#include "actors/pool/ask_child.hpp"

#include <algorithm>

namespace umbel {

namespace {

/// For a library that loops, or waits for something that is not there.
constexpr std::chrono::seconds patience{10};

constexpr size_t answer_max = 64 << 20;

error broken(const std::string& why) {
  return {errc::unavailable,
          "cannot read periodic tasks from the task libraries: " + why};
}

} // namespace

periodic_tasks::periodic_tasks(std::string program,
                               std::vector<std::string> libraries)
    : program_(std::move(program)), libraries_(std::move(libraries)) {
}

expected<json::object>
periodic_tasks::ask(const std::vector<std::string>& names) const {
  std::vector<std::string> argv{program_, "--periodic"};
  argv.insert(argv.end(), libraries_.begin(), libraries_.end());
  if (!names.empty()) {
    argv.push_back("--");
    argv.insert(argv.end(), names.begin(), names.end());
  }
  auto answer = ask_child(argv, patience, answer_max);
  if (!answer)
    return broken(answer.error().what);
  if (auto why = answer->if_contains("error"); why && why->is_string())
    return error{errc::invalid_setting, std::string{why->get_string()}};
  return answer;
}

expected<void> periodic_tasks::load() {
  if (libraries_.empty())
    return {};
  auto answer = ask({});
  if (!answer)
    return answer.error();
  if (auto entries = answer->if_contains("entries");
      entries && entries->is_object())
    entries_ = std::move(entries->get_object());
  if (auto lazy = answer->if_contains("lazy"); lazy && lazy->is_array())
    for (auto& name : lazy->get_array())
      if (name.is_string())
        lazy_.emplace_back(name.get_string());
  return {};
}

bool periodic_tasks::is_lazy(const std::string& entry) const {
  return std::ranges::find(lazy_, entry) != lazy_.end();
}

std::map<std::string, computed_arguments>
periodic_tasks::arguments(const std::vector<std::string>& entries) const {
  std::map<std::string, computed_arguments> result;
  auto answer = ask(entries);
  for (auto& name : entries) {
    auto found = answer ? answer->if_contains(name) : nullptr;
    auto members = found ? found->if_object() : nullptr;
    auto args = members ? members->if_contains("args") : nullptr;
    auto kwargs = members ? members->if_contains("kwargs") : nullptr;
    auto why = members ? members->if_contains("error") : nullptr;
    if (!answer)
      result.emplace(name, answer.error());
    else if (args && args->is_array() && kwargs && kwargs->is_object())
      result.emplace(name, std::pair{args->get_array(), kwargs->get_object()});
    else
      result.emplace(name,
                     error{errc::refused, why && why->is_string()
                                              ? std::string{why->get_string()}
                                              : "they are not known any more"});
  }
  return result;
}

} // namespace umbel
