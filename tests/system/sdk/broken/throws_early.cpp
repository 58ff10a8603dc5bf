#include <stdexcept>

int read_configuration() {
  throw std::runtime_error("no configuration");
}

int configuration = read_configuration();

extern "C" void umbel_register_tasks(void*) {}
