extern "C" void umbel_register_tasks(void*) {}
