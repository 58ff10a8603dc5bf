// worker: short for `umbel worker`.
#include "apps/command_line.hpp"

int main(int argc, char** argv) {
  return umbel::run_command_line("worker", {argv, argv + argc}, true);
}
