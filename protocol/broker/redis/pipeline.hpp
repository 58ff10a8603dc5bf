// Commands in Redis's wire format, collected to be sent at once.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

class pipeline {
public:
  /// Opens a command of `arguments` words, its name included; that many calls
  /// of `arg` must follow.
  pipeline& begin(size_t arguments) {
    starts_.push_back(bytes_.size());
    bytes_ += '*';
    bytes_ += std::to_string(arguments);
    bytes_ += "\r\n";
    return *this;
  }

  pipeline& arg(std::string_view word) {
    bytes_ += '$';
    bytes_ += std::to_string(word.size());
    bytes_ += "\r\n";
    bytes_ += word;
    bytes_ += "\r\n";
    return *this;
  }

  pipeline& arg(uint64_t number) {
    return arg(std::string_view{std::to_string(number)});
  }

  /// A whole command.
  pipeline& add(std::initializer_list<std::string_view> words) {
    begin(words.size());
    for (auto word : words)
      arg(word);
    return *this;
  }

  /// How many commands there are.
  size_t size() const noexcept {
    return starts_.size();
  }

  std::string_view bytes() const noexcept {
    return bytes_;
  }

  /// The bytes of one command.
  std::string_view command(size_t i) const {
    auto end = i + 1 < starts_.size() ? starts_[i + 1] : bytes_.size();
    return std::string_view{bytes_}.substr(starts_[i], end - starts_[i]);
  }

private:
  std::string bytes_;
  std::vector<size_t> starts_;
};

} // namespace umbel::redis
