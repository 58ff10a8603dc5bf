#define CAF_SUITE base64

#include "tests/unit/dsl.hpp"

#include "protocol/message/envelope.hpp"

using namespace umbel;
using namespace std::string_literals;

namespace {

std::string decoded(std::string_view text) {
  auto x = decode_base64(text);
  return x ? *x : "error: " + x.error().what;
}

bool refuses(std::string_view text) {
  auto x = decode_base64(text);
  return !x && x.error().code == errc::malformed;
}

} // namespace

CAF_TEST(the examples of RFC 4648) {
  const std::pair<std::string, std::string> examples[]{{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (auto& [plain, text] : examples) {
    CAF_CHECK_EQUAL(encode_base64(plain), text);
    CAF_CHECK_EQUAL(decoded(text), plain);
  }
}

CAF_TEST(all bytes and all lengths survive) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    CAF_CHECK(decoded(encode_base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
}

CAF_TEST(line breaks are skipped anywhere) {
  CAF_CHECK_EQUAL(decoded("Zm9v\nYmFy"), "foobar");
  CAF_CHECK_EQUAL(decoded("Zm\r\n9vYg=\n=\n"), "foob");
  CAF_CHECK_EQUAL(decoded("\n\n"), "");
}

CAF_TEST(broken text is refused) {
  for (auto text : {"Z", "Zg", "Zg=", "Zg===", "Zm9vY", "Zm9v=", "=", "====",
                    "Zg==Zg==", "Zm9v*mFy", "Zm9v YmFy", "Zm9v\xffmFy", "Zm-_"})
    CAF_CHECK(refuses(text));
  CAF_CHECK(refuses("Zm9v\0mFy"s));
  CAF_CHECK_EQUAL(decode_base64("Zm9vYm*y").error().what,
                  "base64: a character that does not belong there at "
                  "character 6");
}
