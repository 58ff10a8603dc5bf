#define CAF_SUITE text_table

#include "apps/remote/text_table.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

CAF_TEST(columns are as wide as what stands in them) {
  text_table x{{"NODE", "ANSWER"}};
  CAF_CHECK(x.empty());
  x.add({"celery@a", "pong"});
  x.add({"ö", ""});
  CAF_CHECK_EQUAL(x.text(), "NODE      ANSWER\n"
                            "celery@a  pong\n"
                            "ö         \n");
}

CAF_TEST(what others say is one line and harmless) {
  CAF_CHECK_EQUAL(one_line("a\nb\tc\r"), "a\\nb\\tc\\r");
  CAF_CHECK_EQUAL(one_line("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  CAF_CHECK_EQUAL(one_line("\xc2\x9b" "2J"), "\\x9b2J"); // CSI in one character
  CAF_CHECK_EQUAL(one_line("é"), "é");
}

CAF_TEST(texts are cut between characters) {
  CAF_CHECK_EQUAL(cut("abcdef", 6), "abcdef");
  CAF_CHECK_EQUAL(cut("abcdefg", 6), "abc...");
  CAF_CHECK_EQUAL(cut("äöüäöü", 5), "äö...");
  CAF_CHECK_EQUAL(cut("abc", 2), "..");
  CAF_CHECK_EQUAL(cut("abc", 0), "");
  CAF_CHECK_EQUAL(width_of("äöü"), 3u);
}
