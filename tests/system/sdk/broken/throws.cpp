#include <stdexcept>

extern "C" void umbel_register_tasks(void*) {
  throw std::runtime_error("no licence");
}
