// Precompiled for every unit test. CAF's header gives a suite without a name
// one; each test file names its own.
#include "tests/unit/dsl.hpp"

#undef CAF_SUITE
