// CAF's test suite, as every unit test includes it (precompiled). A test file
// defines CAF_SUITE before its first CAF_TEST.
#pragma once

#include <caf/all.hpp>

#define FAIL CAF_FAIL // dsl.hpp uses FAIL without defining it
#include <caf/test/dsl.hpp>
