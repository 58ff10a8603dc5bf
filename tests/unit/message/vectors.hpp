// Messages captured from the real client (capture_vectors.py).
#pragma once

#include "protocol/message/task_message.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace umbel::test {

inline std::filesystem::path vectors_dir() {
  return std::filesystem::path{UMBEL_TEST_DATA} / "vectors";
}

/// The list entry in vectors/<name>.json.
inline std::string vector_text(const std::string& name) {
  std::ifstream in{vectors_dir() / (name + ".json")};
  std::string out{std::istreambuf_iterator<char>{in}, {}};
  if (out.empty())
    throw std::runtime_error{"no vector " + name};
  return out;
}

/// All names, sorted.
inline std::vector<std::string> vector_names() {
  std::vector<std::string> out;
  for (auto& x : std::filesystem::directory_iterator{vectors_dir()})
    out.push_back(x.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

/// "" or the reason why `x` is malformed.
template <class T>
std::string reason(const expected<T>& x) {
  if (x)
    return {};
  return x.error().code == errc::malformed
             ? x.error().what
             : "not malformed, but " + to_string(x.error());
}

/// A vector as a value, to be changed.
inline json::object vector_object(const std::string& name) {
  return parse_json(vector_text(name)).value().as_object();
}

/// Sets the text of the body of an envelope.
inline void set_body(json::object& envelope, std::string_view text) {
  envelope["body"] = encode_base64(text);
}

inline std::string text_of(const json::object& x) {
  return to_json(json::value(x));
}

} // namespace umbel::test
