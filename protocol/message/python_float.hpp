// How Python writes a float: the shortest digits that read back as the same
// double, always with a point or an exponent.
#pragma once

#include <string>

namespace umbel {

/// Appends `repr(x)`: "8.0", "1e-07", "1e+16". @pre `x` is finite.
void append_python_float(std::string& out, double x);

} // namespace umbel
