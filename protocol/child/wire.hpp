// Little-endian integers and length-prefixed strings, as frames hold them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace umbel::frame {

static_assert(std::endian::native == std::endian::little,
              "frames are written as the machine holds integers");

/// Appends to a string.
class wire_writer {
public:
  explicit wire_writer(std::string& out) : out_(out) {
  }

  void u8(uint8_t x) {
    out_.push_back(static_cast<char>(x));
  }

  void u32(uint32_t x) {
    raw(x);
  }

  void u64(uint64_t x) {
    raw(x);
  }

  void i64(int64_t x) {
    raw(x);
  }

  void text(std::string_view x) {
    u32(static_cast<uint32_t>(x.size()));
    out_.append(x);
  }

  size_t size() const noexcept {
    return out_.size();
  }

  void patch_u32(size_t at, uint32_t x) {
    memcpy(out_.data() + at, &x, sizeof(x));
  }

private:
  template <class T>
  void raw(T x) {
    char bytes[sizeof(T)];
    memcpy(bytes, &x, sizeof(T));
    out_.append(bytes, sizeof(T));
  }

  std::string& out_;
};

/// Reads from a view. Past the end everything reads as zero or empty, and
/// `ok` is false from then on.
class wire_reader {
public:
  explicit wire_reader(std::string_view in) : in_(in) {
  }

  uint8_t u8() {
    return raw<uint8_t>();
  }

  uint32_t u32() {
    return raw<uint32_t>();
  }

  uint64_t u64() {
    return raw<uint64_t>();
  }

  int64_t i64() {
    return raw<int64_t>();
  }

  /// A view into what is read.
  std::string_view text() {
    auto size = u32();
    if (size > in_.size()) {
      fail();
      return {};
    }
    auto result = in_.substr(0, size);
    in_.remove_prefix(size);
    return result;
  }

  std::string string() {
    return std::string{text()};
  }

  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }

  bool ok() const noexcept {
    return ok_;
  }

  bool at_end() const noexcept {
    return in_.empty();
  }

private:
  template <class T>
  T raw() {
    T result{};
    if (in_.size() < sizeof(T)) {
      fail();
      return result;
    }
    memcpy(&result, in_.data(), sizeof(T));
    in_.remove_prefix(sizeof(T));
    return result;
  }

  std::string_view in_;
  bool ok_ = true;
};

} // namespace umbel::frame
