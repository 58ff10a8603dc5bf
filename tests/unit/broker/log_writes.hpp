// SQLite's write-ahead log, as one who kills its writers sees it.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

namespace umbel::test {

/// Kills this process when it has written so many times into a log: half of the last
/// write is done. A commit is two writes for each page that it changes.
inline void die_in_log_write(int writes) {
  static int left;
  static sqlite3_vfs files; // SQLite's own, but for how a log is opened ...
  static sqlite3_io_methods log; // ... and written
  static int (*open)(sqlite3_vfs*, const char*, sqlite3_file*, int, int*);
  static int (*write)(sqlite3_file*, const void*, int, sqlite3_int64);
  left = writes;
  files = *sqlite3_vfs_find(nullptr);
  open = files.xOpen;
  files.zName = "lethal";
  files.xOpen = [](sqlite3_vfs* x, const char* name, sqlite3_file* file,
                   int flags, int* result) {
    auto code = open(x, name, file, flags, result);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
      log = *file->pMethods;
      write = log.xWrite;
      log.xWrite = [](sqlite3_file* to, const void* bytes, int count,
                      sqlite3_int64 at) {
        if (--left > 0)
          return write(to, bytes, count, at);
        write(to, bytes, count / 2, at);
        kill(getpid(), SIGKILL);
        return SQLITE_IOERR;
      };
      file->pMethods = &log;
    }
    return code;
  };
  sqlite3_vfs_register(&files, 1);
}

/// Whether the log ends with pages of a commit whose end is missing, by SQLite's file
/// format: a header of 32 bytes, then frames of 24 bytes and a page, each with the salt
/// of the header. The last frame of a commit has the size of the database in its
/// second word, the others have 0.
inline bool has_unfinished_commit(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  auto word = [&](size_t at) {
    uint32_t result = 0;
    for (size_t i = 0; i < 4; ++i)
      result = result << 8 | static_cast<uint8_t>(bytes[at + i]);
    return result;
  };
  constexpr size_t header = 32, frame_header = 24;
  if (bytes.size() < header)
    return false;
  auto frame = frame_header + word(8);
  auto unfinished = false;
  for (auto at = header; at < bytes.size(); at += frame) {
    if (at + frame_header > bytes.size())
      return true; // not even a frame's header
    if (bytes.compare(at + 8, 8, bytes, 16, 8) != 0)
      return unfinished; // of an earlier round, or half a header
    unfinished = word(at + 4) == 0 || at + frame > bytes.size();
  }
  return unfinished;
}

} // namespace umbel::test
