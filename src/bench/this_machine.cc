#include "bench/this_machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string>

#include "pith/pith.h"

namespace pith::bench {
namespace {

// The value behind the first line of a file that begins with `key`, without the spaces and `separator` between them.
std::string ValueOf(const std::string& path, const std::string& key, char separator) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t\"", at + 1);
    if (begin == std::string::npos) return "";
    return line.substr(begin, line.find_last_not_of(" \t\"") + 1 - begin);
  }
  return "";
}

std::string Processor(const utsname& system) {
  // ARM's /proc/cpuinfo has no name; a board's device tree has one.
  std::string name = ValueOf("/proc/cpuinfo", "model name", ':');
  if (name.empty()) {
    std::ifstream in("/proc/device-tree/model");
    std::getline(in, name, '\0');
  }
  return name.empty() ? system.machine : name;
}

}  // namespace

namespace {

std::string UtcNow() {
  const time_t now = std::time(nullptr);
  tm parts{};
  char text[32] = "";
  if (gmtime_r(&now, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

Results ResultsOfThisMachine() {
  Results results;
  results.created = UtcNow();
  results.program = "pith " + VersionString();
  results.machine = ThisMachine();
  return results;
}

Machine ThisMachine() {
  utsname system{};
  (void)uname(&system);
  Machine machine;
  machine.processor = Processor(system);
  machine.instruction_set = InstructionSet();
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) {
    machine.n_processors = static_cast<uint32_t>(CPU_COUNT(&processors));
  }
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page_bytes > 0)
    machine.memory_bytes = static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
  const std::string distribution = ValueOf("/etc/os-release", "PRETTY_NAME=", '=');
  machine.system = (distribution.empty() ? "" : distribution + ", ") + system.sysname + " " + system.release;
  return machine;
}

}  // namespace pith::bench
