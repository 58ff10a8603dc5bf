#include "apps/help.hpp"

#include <sstream>

namespace umbel {

namespace {

constexpr size_t text_column = 30;
constexpr size_t last_column = 80;

// "-A, --app NAME", with the long name always in the same column.
std::string left_side(const CLI::Option& option) {
  std::string result;
  for (auto& name : option.get_snames())
    result += (result.empty() ? "-" : ", -") + name;
  if (result.empty())
    result = "  ";
  for (auto& name : option.get_lnames())
    result += (result == "  " ? "  --" : ", --") + name;
  if (!option.get_type_name().empty() && option.get_items_expected_max() > 0)
    result += ' ' + option.get_type_name();
  return result;
}

} // namespace

void append_help_entry(std::string& out, const std::string& left,
                       const std::string& text) {
  auto line = "  " + left;
  if (line.size() + 2 > text_column) {
    out += line + '\n';
    line.clear();
  }
  line.resize(text_column, ' ');
  std::istringstream words{text};
  bool first = true;
  for (std::string word; words >> word;) {
    if (!first && line.size() + 1 + word.size() > last_column) {
      out += line + '\n';
      line.assign(text_column, ' ');
      first = true;
    }
    if (!first)
      line += ' ';
    line += word;
    first = false;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

help_formatter::help_formatter(std::string usage) : usage_(std::move(usage)) {
}

std::string help_formatter::make_help(const CLI::App* app, std::string,
                                      CLI::AppFormatMode) const {
  auto result = "Usage: " + usage_ + "\n\n" + app->get_description() + '\n';
  for (auto& group : app->get_groups()) {
    auto options = app->get_options([&](const CLI::Option* option) {
      return option->get_group() == group && !option->get_group().empty();
    });
    if (options.empty())
      continue;
    result += '\n' + group + ":\n";
    for (auto option : options)
      append_help_entry(result, left_side(*option), option->get_description());
  }
  auto commands = app->get_subcommands({});
  if (!commands.empty())
    result += "\nCommands:\n";
  for (auto command : commands) {
    auto text = command->get_description();
    append_help_entry(result, command->get_name(), text.substr(0, text.find('\n')));
  }
  auto footer = app->get_footer();
  return footer.empty() ? result : result + '\n' + footer + '\n';
}

} // namespace umbel
