// Looks at the machine code of the program, as numeric_contract.md section 1 promises:
//   - no fused multiply-add and no approximate reciprocal anywhere: their results differ from the contract's;
//   - AVX only in functions of the files that are compiled for it, since all others run on every machine.
//
//   instructions_test OBJDUMP PROGRAM      exit code 0: fine, 1: found, 77: skipped
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace {

constexpr int kSkipped = 77;

// Beginnings of mnemonics, x86 and ARM. The reciprocals are there because machines may answer them
// differently.
constexpr std::string_view kFused[] = {"vfmadd",  "vfmsub", "vfnmadd", "vfnmsub", "vfmaddsub", "vfmsubadd",
                                       "vdpbf16", "fmadd",  "fmsub",   "fnmadd",  "fnmsub",    "fmla",
                                       "fmls",    "fmlal",  "fmlsl",   "bfdot",   "bfmmla",    "bfmlal",
                                       "fmmla",   "fcmla",  "frecps",  "frsqrts"};
constexpr std::string_view kApproximate[] = {"rcpps",  "rcpss", "rsqrtps", "rsqrtss", "vrcp",
                                             "vrsqrt", "vexp2", "frecpe",  "frsqrte", "frecpx"};
// Files whose functions may use AVX: chosen at run time on machines that have it.
constexpr std::string_view kAvxFiles[] = {"kernels_avx2.cc", "kernels_avxvnni.cc", "kernels_avx512.cc",
                                           "machine_limits.cc"};

template <size_t n>
bool BeginsWithOneOf(std::string_view text, const std::string_view (&beginnings)[n]) {
  for (const std::string_view beginning : beginnings) {
    if (text.starts_with(beginning)) return true;
  }
  return false;
}

// Runs a command and gives `line(text)` each line that it prints. False when it failed.
template <typename Function>
bool ForEachLineOf(const std::string& command, Function line) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  char* buffer = nullptr;  // getline's: names of templates make lines of any length
  size_t capacity = 0;
  for (ssize_t n; (n = getline(&buffer, &capacity, pipe)) > 0;) {
    const std::string_view text(buffer, static_cast<size_t>(n));
    line(text.substr(0, text.find('\n')));
  }
  std::free(buffer);
  return pclose(pipe) == 0;
}

// Addresses of the local symbols that come from the files compiled for AVX. A symbol table lists the local
// symbols of a source file after an entry of type "f" that names it:
//   0000000000000000 l    df *ABS*  0000000000000000              kernels_avx2.cc
//   000000000001a2b0 l     F .text  00000000000001f3              _ZN4pith...
std::set<uint64_t> AvxFunctions(const std::string& objdump, const std::string& program, bool* ok) {
  std::set<uint64_t> addresses;
  bool in_avx_file = false;
  *ok = ForEachLineOf(objdump + " --syms '" + program + "'", [&](std::string_view line) {
    if (line.find(" df *ABS*") != std::string_view::npos) {
      in_avx_file = false;
      for (const std::string_view file : kAvxFiles) in_avx_file = in_avx_file || line.ends_with(file);
    } else if (in_avx_file && line.find(" F ") != std::string_view::npos) {
      addresses.insert(std::strtoull(line.data(), nullptr, 16));
    }
  });
  return addresses;
}

// The mnemonic of a disassembled line, "  401136:\tvaddps %ymm1,%ymm0,%ymm0" (objdump --no-show-raw-insn),
// without prefixes in braces: "{vex} vpdpbusd".
std::optional<std::string_view> Mnemonic(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos || tab == 0 || line[tab - 1] != ':') return std::nullopt;
  std::string_view rest = line.substr(tab + 1);
  if (const size_t brace = rest.find("} "); rest.starts_with('{') && brace != std::string_view::npos) {
    rest.remove_prefix(brace + 2);
  }
  return rest.substr(0, rest.find_first_of(" \t"));
}

bool UsesAvx(std::string_view mnemonic, std::string_view line) {
  constexpr std::string_view kRegisters[] = {"%xmm", "%ymm", "%zmm", "%k"};
  if (!mnemonic.starts_with('v') && !mnemonic.starts_with('k')) return false;
  if (mnemonic == "vzeroupper" || mnemonic == "vzeroall") return true;
  for (const std::string_view r : kRegisters) {
    if (line.find(r) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: instructions_test OBJDUMP PROGRAM\n";
    return 2;
  }
  const std::string objdump = argv[1];
  const std::string program = argv[2];
  if (!ForEachLineOf(objdump + " --version 2>/dev/null", [](std::string_view) {})) {
    std::cout << "skipped: no objdump to look into the program with\n";
    return kSkipped;
  }
  bool ok = false;
  const std::set<uint64_t> avx_functions = AvxFunctions(objdump, program, &ok);
  std::string function;
  bool may_use_avx = false;
  size_t n_instructions = 0;
  size_t n_found = 0;
  const auto found = [&](std::string_view what, std::string_view line) {
    if (++n_found <= 20) std::cout << what << " in " << function << ": " << line << "\n";
  };
  ok = ForEachLineOf(objdump + " -d -C --no-show-raw-insn '" + program + "'",
                     [&](std::string_view line) {
                       if (line.ends_with(">:")) {  // 000000000001a2b0 <pith::Name>:
                         function = line.substr(18, line.size() - 20);
                         may_use_avx = avx_functions.count(std::strtoull(line.data(), nullptr, 16)) == 1;
                         return;
                       }
                       const std::optional<std::string_view> mnemonic = Mnemonic(line);
                       if (!mnemonic) return;
                       ++n_instructions;
                       if (BeginsWithOneOf(*mnemonic, kFused)) found("fused", line);
                       if (BeginsWithOneOf(*mnemonic, kApproximate)) found("approximate", line);
                       if (!may_use_avx && UsesAvx(*mnemonic, line))
                         found("AVX outside the files for it", line);
                     }) &&
       ok;
  if (!ok || n_instructions == 0) {
    std::cout << "objdump could not read " << program << "\n";
    return 1;
  }
  std::cout << n_instructions << " instructions, " << avx_functions.size() << " functions for AVX, "
            << n_found << " instructions that should not be there\n";
  return n_found == 0 ? 0 : 1;
}
