// `child --periodic LIBRARY... [-- NAME...]`: what a beat has to know of task libraries.
//
// Loads them and writes one line of JSON to descriptor 3:
//
//   {"entries": {name: entry of beat_schedule}, "lazy": [names]}
//
// or, if names are given, their arguments as they are at this moment:
//
//   {name: {"args": [...], "kwargs": {...}} or {"error": text}}
//
// and {"error": text} if a library cannot be loaded. Each question has a process of its
// own, so whatever a library does, the beat lives.
#pragma once

#include <string>
#include <vector>

namespace umbel {

inline constexpr const char* periodic_argument = "--periodic";

/// @param args what stands after `--periodic`
/// @returns the exit status
int answer_periodic(const std::vector<std::string>& args);

} // namespace umbel
