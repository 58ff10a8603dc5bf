#include "protocol/task/exceptions.hpp"

namespace umbel {

exception::exception(std::string type, json::array args, std::string module)
    : type_(std::move(type)), args_(std::move(args)),
      module_(std::move(module)) {
  if (args_.size() == 1 && args_[0].is_string())
    what_ = args_[0].get_string().c_str();
  else if (!args_.empty())
    what_ = python_repr_tuple(args_);
  else
    what_ = type_;
}

} // namespace umbel
