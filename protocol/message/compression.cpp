// Names, bounds and the libraries of compression. Each decoder makes one step at
// a time; the loop around them is the same for all and watches the bounds.
#include "protocol/message/content.hpp"
#include "protocol/message/malformed.hpp"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <bzlib.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>

namespace umbel {

namespace {

// -- names ------------------------------------------------------------------------

struct known_compression {
  compression how;
  std::string_view mime_type;
  std::array<std::string_view, 2> names;
};

// What kombu calls gzip is zlib's format.
constexpr known_compression known[] = {
    {compression::zlib, "application/x-gzip", {"zlib", "gzip"}},
    {compression::bzip2, "application/x-bz2", {"bzip2", "bzip"}},
    {compression::lzma, "application/x-lzma", {"lzma", "xz"}},
    {compression::zstd, "application/zstd", {"zstd", "zstandard"}},
    {compression::brotli, "application/x-brotli", {"brotli", "brotli"}},
};

// -- bounds -----------------------------------------------------------------------

/// Below this, a body may have any ratio: a list of zeros has a high one.
constexpr size_t ratio_from = 16u << 20;
constexpr size_t ratio_max = 2'000;

/// Memory that the header of a stream may ask its decoder for. `xz -9` needs 65
/// MiB.
constexpr uint64_t decoder_memory_max = 128u << 20;
constexpr int window_log_max = 27; // zstd's own default, 128 MiB

constexpr size_t step_max = 1u << 20;

enum class progress : uint8_t { more, end, broken };

/// What is left to read, and where to write.
struct window {
  const uint8_t* in;
  size_t in_size;
  uint8_t* out;
  size_t out_size;
};

[[noreturn]] void out_of_memory() {
  throw std::bad_alloc{};
}

// -- decoders: each takes a window, moves its ends, and says how it went ------------

class zlib_decoder {
public:
  zlib_decoder() {
    // 32: zlib's format or gzip's, as it comes.
    if (inflateInit2(&state_, MAX_WBITS + 32) != Z_OK)
      out_of_memory();
  }

  ~zlib_decoder() {
    inflateEnd(&state_);
  }

  progress step(window& x) {
    auto in = static_cast<uInt>(std::min<size_t>(x.in_size, step_max));
    state_.next_in = const_cast<Bytef*>(x.in);
    state_.avail_in = in;
    state_.next_out = x.out;
    state_.avail_out = static_cast<uInt>(x.out_size);
    auto code = inflate(&state_, Z_NO_FLUSH);
    x.in += in - state_.avail_in;
    x.in_size -= in - state_.avail_in;
    x.out_size = state_.avail_out;
    if (code == Z_STREAM_END)
      return progress::end;
    return code == Z_OK || code == Z_BUF_ERROR ? progress::more
                                               : progress::broken;
  }

private:
  z_stream state_{};
};

class bzip2_decoder {
public:
  bzip2_decoder() {
    if (BZ2_bzDecompressInit(&state_, 0, 0) != BZ_OK)
      out_of_memory();
  }

  ~bzip2_decoder() {
    BZ2_bzDecompressEnd(&state_);
  }

  progress step(window& x) {
    auto in = static_cast<unsigned>(std::min<size_t>(x.in_size, step_max));
    state_.next_in = reinterpret_cast<char*>(const_cast<uint8_t*>(x.in));
    state_.avail_in = in;
    state_.next_out = reinterpret_cast<char*>(x.out);
    state_.avail_out = static_cast<unsigned>(x.out_size);
    auto code = BZ2_bzDecompress(&state_);
    x.in += in - state_.avail_in;
    x.in_size -= in - state_.avail_in;
    x.out_size = state_.avail_out;
    if (code == BZ_STREAM_END)
      return progress::end;
    return code == BZ_OK ? progress::more : progress::broken;
  }

private:
  bz_stream state_{};
};

class lzma_decoder {
public:
  lzma_decoder() {
    if (lzma_auto_decoder(&state_, decoder_memory_max, 0) != LZMA_OK)
      out_of_memory();
  }

  ~lzma_decoder() {
    lzma_end(&state_);
  }

  progress step(window& x) {
    state_.next_in = x.in;
    state_.avail_in = x.in_size;
    state_.next_out = x.out;
    state_.avail_out = x.out_size;
    auto code = lzma_code(&state_, LZMA_RUN);
    x.in = state_.next_in;
    x.in_size = state_.avail_in;
    x.out_size = state_.avail_out;
    if (code == LZMA_STREAM_END)
      return progress::end;
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? progress::more
                                                     : progress::broken;
  }

private:
  lzma_stream state_ = LZMA_STREAM_INIT;
};

class zstd_decoder {
public:
  zstd_decoder() {
    if (!state_)
      out_of_memory();
    ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, window_log_max);
  }

  progress step(window& x) {
    ZSTD_inBuffer in{x.in, x.in_size, 0};
    ZSTD_outBuffer out{x.out, x.out_size, 0};
    auto code = ZSTD_decompressStream(state_.get(), &out, &in);
    x.in += in.pos;
    x.in_size -= in.pos;
    x.out_size -= out.pos;
    if (ZSTD_isError(code))
      return progress::broken;
    return code == 0 ? progress::end : progress::more;
  }

private:
  struct deleter {
    void operator()(ZSTD_DCtx* x) const {
      ZSTD_freeDCtx(x);
    }
  };

  std::unique_ptr<ZSTD_DCtx, deleter> state_{ZSTD_createDCtx()};
};

class brotli_decoder {
public:
  brotli_decoder() {
    if (!state_)
      out_of_memory();
  }

  progress step(window& x) {
    auto out = x.out;
    auto code = BrotliDecoderDecompressStream(state_.get(), &x.in_size, &x.in,
                                              &x.out_size, &out, nullptr);
    if (code == BROTLI_DECODER_RESULT_SUCCESS)
      return progress::end;
    return code == BROTLI_DECODER_RESULT_ERROR ? progress::broken
                                               : progress::more;
  }

private:
  struct deleter {
    void operator()(BrotliDecoderState* x) const {
      BrotliDecoderDestroyInstance(x);
    }
  };

  std::unique_ptr<BrotliDecoderState, deleter> state_{
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)};
};

template <class Decoder>
expected<std::string> read_all(std::string_view name, std::string_view bytes,
                               size_t max) {
  auto fail = [&](std::string_view why) {
    return malformed(fmt::format("{}: {}", name, why));
  };
  auto ratio_bound = std::max(ratio_from, bytes.size() * ratio_max);
  Decoder decoder;
  window x{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), nullptr,
           0};
  std::string out;
  size_t used = 0;
  for (;;) {
    // One byte more than is allowed: whoever fills it has passed the bound.
    auto bound = std::min(max, ratio_bound);
    if (used > bound)
      return used > max
               ? fail(fmt::format("more than the {} bytes that are accepted "
                                  "(task_body_max)",
                                  max))
               : fail(fmt::format("{} bytes that expand to more than {} times "
                                  "as many",
                                  bytes.size(), ratio_max));
    if (used == out.size())
      out.resize(std::min(bound + 1, used + std::clamp<size_t>(used, 4096, step_max)));
    x.out = reinterpret_cast<uint8_t*>(out.data()) + used;
    x.out_size = out.size() - used;
    auto room = x.out_size;
    auto in_before = x.in_size;
    auto state = decoder.step(x);
    used = out.size() - x.out_size;
    if (state == progress::broken)
      return fail("the data is broken");
    if (state == progress::end && used <= bound)
      break;
    if (state != progress::end && x.in_size == in_before
        && x.out_size == room && room > 0)
      return fail("the data ends too early");
  }
  if (x.in_size != 0)
    return fail(fmt::format("{} bytes follow its end", x.in_size));
  out.resize(used);
  return out;
}

// -- encoders: all at once, with each library's usual effort --------------------------

std::string write_zlib(std::string_view x) {
  auto size = compressBound(x.size());
  std::string out(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                reinterpret_cast<const Bytef*>(x.data()), x.size(),
                Z_DEFAULT_COMPRESSION)
      != Z_OK)
    out_of_memory();
  out.resize(size);
  return out;
}

std::string write_bzip2(std::string_view x) {
  auto size = static_cast<unsigned>(x.size() + x.size() / 100 + 600);
  std::string out(size, '\0');
  if (BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(x.data()),
                               static_cast<unsigned>(x.size()), 9, 0, 0)
      != BZ_OK)
    out_of_memory();
  out.resize(size);
  return out;
}

std::string write_lzma(std::string_view x) {
  std::string out(lzma_stream_buffer_bound(x.size()), '\0');
  size_t size = 0;
  if (lzma_easy_buffer_encode(LZMA_PRESET_DEFAULT, LZMA_CHECK_CRC64, nullptr,
                              reinterpret_cast<const uint8_t*>(x.data()),
                              x.size(), reinterpret_cast<uint8_t*>(out.data()),
                              &size, out.size())
      != LZMA_OK)
    out_of_memory();
  out.resize(size);
  return out;
}

/// In one piece: Python's reader wants the size in the header.
std::string write_zstd(std::string_view x) {
  std::string out(ZSTD_compressBound(x.size()), '\0');
  auto size = ZSTD_compress(out.data(), out.size(), x.data(), x.size(),
                            ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size))
    out_of_memory();
  out.resize(size);
  return out;
}

std::string write_brotli(std::string_view x) {
  auto size = BrotliEncoderMaxCompressedSize(x.size());
  std::string out(size, '\0');
  if (BrotliEncoderCompress(BROTLI_DEFAULT_QUALITY, BROTLI_DEFAULT_WINDOW,
                            BROTLI_DEFAULT_MODE, x.size(),
                            reinterpret_cast<const uint8_t*>(x.data()), &size,
                            reinterpret_cast<uint8_t*>(out.data()))
      != BROTLI_TRUE)
    out_of_memory();
  out.resize(size);
  return out;
}

} // namespace

std::string_view name_of(compression x) noexcept {
  for (auto& row : known)
    if (row.how == x)
      return row.names[0];
  return {};
}

std::string_view mime_type_of(compression x) noexcept {
  for (auto& row : known)
    if (row.how == x)
      return row.mime_type;
  return {};
}

std::span<const std::string_view> compression_names() {
  static constexpr std::string_view names[] = {"zlib", "bzip2", "lzma", "zstd",
                                               "brotli"};
  return names;
}

expected<compression> parse_compression(std::string_view name) {
  if (name.empty())
    return compression::none;
  for (auto& row : known)
    if (name == row.mime_type || name == row.names[0] || name == row.names[1])
      return row.how;
  return error{errc::unsupported,
               fmt::format("compression {} is not known; known are {}",
                           python_repr(json::string{name}, 80),
                           fmt::join(compression_names(), ", "))};
}

std::string compress(compression how, std::string_view bytes) {
  switch (how) {
    case compression::none:
      return std::string{bytes};
    case compression::zlib:
      return write_zlib(bytes);
    case compression::bzip2:
      return write_bzip2(bytes);
    case compression::lzma:
      return write_lzma(bytes);
    case compression::zstd:
      return write_zstd(bytes);
    case compression::brotli:
      return write_brotli(bytes);
  }
  return {};
}

expected<std::string> decompress(compression how, std::string_view bytes,
                                 size_t max) {
  switch (how) {
    case compression::none:
      return std::string{bytes};
    case compression::zlib:
      return read_all<zlib_decoder>("zlib", bytes, max);
    case compression::bzip2:
      return read_all<bzip2_decoder>("bzip2", bytes, max);
    case compression::lzma:
      return read_all<lzma_decoder>("lzma", bytes, max);
    case compression::zstd:
      return read_all<zstd_decoder>("zstd", bytes, max);
    case compression::brotli:
      return read_all<brotli_decoder>("brotli", bytes, max);
  }
  return error{errc::unsupported, "no such compression"};
}

} // namespace umbel
