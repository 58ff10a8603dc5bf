// beat: short for `umbel beat`.
#include "apps/command_line.hpp"

int main(int argc, char** argv) {
  std::vector<std::string> words{argv, argv + argc};
  words.insert(words.begin() + 1, "beat");
  return umbel::run_command_line("umbel", words, false);
}
