// umbel: the umbrella command.
#include "apps/command_line.hpp"

int main(int argc, char** argv) {
  return umbel::run_command_line("umbel", {argv, argv + argc}, false);
}
