// sample_page FOLDER: writes pages from results that nobody measured, for a browser to look at, and prints
// what a terminal would show.
#include <fstream>
#include <iostream>
#include <string>

#include "report/page.h"
#include "report/terminal_report.h"
#include "support/sample_results.h"

namespace {

bool WritePage(const std::string& folder, const std::string& name, const pith::bench::Results& results) {
  std::ofstream out(folder + "/" + name + ".html", std::ios::binary);
  out << pith::bench::HtmlPage(results);
  out.close();
  if (!out) std::cerr << folder << "/" << name << ".html: cannot be written\n";
  return static_cast<bool>(out);
}

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments != 2) {
    std::cerr << "usage: sample_page FOLDER\n";
    return 2;
  }
  using namespace pith::bench;
  const std::string folder = arguments[1];
  bool good = WritePage(folder, "sample", SampleResults());
  good = WritePage(folder, "failing", FailingResults()) && good;
  good = WritePage(folder, "many", ManyResults(1000, 12)) && good;
  good = WritePage(folder, "hostile", HostileResults()) && good;
  good = WritePage(folder, "one_file", OneFileResults()) && good;
  good = WritePage(folder, "nothing", Results()) && good;
  std::cout << TerminalReport(SampleResults(), 100, false);
  return good ? 0 : 1;
}
