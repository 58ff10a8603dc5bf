void forgotten(int);

extern "C" void umbel_register_tasks(void*) {
  forgotten(1);
}
