// Starting pith from a test: arguments in; exit code, output and messages out.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace pith::test {

// A folder of its own for one test; goes away with everything in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> Names() const;  // of everything directly in it, sorted

 private:
  std::string path_;
};

void WriteFile(const std::string& path, const std::string& content);
std::string ReadFile(const std::string& path);  // a test failure and empty when it cannot be read
bool Exists(const std::string& path);
int64_t Mtime(const std::string& path);  // seconds
void SetMtime(const std::string& path, int64_t seconds);

struct Setting {
  std::string folder;                    // to run in
  std::string input;                     // standard input; a file, /dev/null if empty
  std::vector<std::string> environment;  // NAME=VALUE, added
};

struct Ended {
  int code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

// Runs `pith ARGS...` to its end.
Ended Pith(const Setting& setting, const std::vector<std::string>& args);
// Runs a script of /bin/sh in which $PITH is the program.
Ended Shell(const Setting& setting, const std::string& script);

// Runs pith on a terminal of 80 x 24 characters, types `keys`, returns all that appears (err is empty).
Ended PithOnTerminal(const Setting& setting, const std::vector<std::string>& args,
                     const std::string& keys = "");

// What to type, and when: behind what the program says then; empty: at its next prompt, "> " or ". ".
struct TerminalStep {
  std::string wait_for;
  std::string keys;  // kHangUp: close the terminal
};
inline constexpr char kHangUp[] = "hang up";

// The same in steps. Fails the test when what one waits for does not come within half a minute.
Ended PithInDialogue(const Setting& setting, const std::vector<std::string>& args, const std::vector<TerminalStep>& steps);

// pith in the background; its output goes nowhere.
class Background {
 public:
  Background(const Setting& setting, const std::vector<std::string>& args);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void Signal(int number);
  Ended Wait();

 private:
  pid_t pid_;
};

}  // namespace pith::test
