// HtmlPage: the report as one HTML file that loads nothing from anywhere. Charts are SVG and need no script;
// a script of its own sorts and filters the table of files, shows numbers beside marks, and changes the
// theme.
#pragma once

#include <string>

#include "report/results.h"

namespace pith::bench {

// REQUIRES: indices of rows are in range (ReadResults checks it). Any text of `results` may hold anything.
std::string HtmlPage(const Results& results);

}  // namespace pith::bench
