#include "protocol/message/envelope.hpp"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace umbel {

namespace {

/// Random bytes from the kernel, fetched for 256 ids at a time: a system call
/// for each id would cost more than the rest of it.
class entropy {
public:
  std::array<uint8_t, 16> take() {
    // After fork() both processes hold the same bytes: fetch new ones.
    if (auto pid = getpid(); used_ == pool_.size() || pid != owner_) {
      refill();
      owner_ = pid;
    }
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), pool_.data() + used_, bytes.size());
    used_ += bytes.size();
    return bytes;
  }

private:
  void refill() {
    size_t have = 0;
    while (have < pool_.size()) {
      auto n = getrandom(pool_.data() + have, pool_.size() - have, 0);
      if (n > 0)
        have += static_cast<size_t>(n);
      else if (errno != EINTR)
        std::abort(); // no kernel that runs this lacks getrandom
    }
    used_ = 0;
  }

  std::array<uint8_t, 4096> pool_;
  size_t used_ = pool_.size();
  pid_t owner_ = 0;
};

} // namespace

std::string make_uuid() {
  // Made by threads that need it: most never do.
  thread_local std::unique_ptr<entropy> source;
  if (!source)
    source = std::make_unique<entropy>();
  auto bytes = source->take();
  bytes[6] = (bytes[6] & 0x0f) | 0x40; // version 4
  bytes[8] = (bytes[8] & 0x3f) | 0x80; // variant of RFC 4122
  constexpr auto digits = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      out += '-';
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

std::string make_name_uuid(std::string_view name) {
  boost::uuids::name_generator_sha1 generate{boost::uuids::ns::url()};
  return to_string(generate(name.data(), name.size()));
}

} // namespace umbel
