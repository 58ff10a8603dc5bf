// How `--help` looks: groups of options, each with its meaning and default,
// within 80 columns.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace umbel {

/// Appends `left` at the margin and `text` wrapped in the right-hand column.
void append_help_entry(std::string& out, const std::string& left,
                       const std::string& text);

/// Formats one command's help. CLI11 calls it.
class help_formatter : public CLI::FormatterBase {
public:
  /// @param usage the line after "Usage: "
  explicit help_formatter(std::string usage);

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;

private:
  std::string usage_;
};

} // namespace umbel
