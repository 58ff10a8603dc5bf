#include <umbel/task.hpp>

#include <stdexcept>
#include <string>

namespace shop {

struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct item {
  std::string name;
  int count = 0;
};

item tag_invoke(boost::json::value_to_tag<item>, const boost::json::value& x) {
  return {boost::json::value_to<std::string>(x.at("name")),
          boost::json::value_to<int>(x.at("count"))};
}

std::string order(umbel::context& self, const item& what) {
  if (what.count > 10)
    throw out_of_stock("only 10 of " + what.name);
  umbel::log_info("try {}", self.retries() + 1);
  return fmt::format("{} {}", what.count, what.name);
}

umbel::awaitable<std::string> reorder(const item& what) {
  co_await umbel::sleep_for(std::chrono::milliseconds{1});
  co_return fmt::format("{} {}", what.count, what.name);
}

} // namespace shop

UMBEL_TASKS(app) {
  app.task("shop.order", shop::order, "what")
    .acks_late()
    .autoretry_for<std::bad_alloc>();
  app.task("shop.reorder", shop::reorder, "what");
}
