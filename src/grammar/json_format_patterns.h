// The values of JSON Schema's "format" that this build knows, as regular expressions (regex_grammar.h).
#pragma once

#include <string>
#include <string_view>

namespace pith {

// Without ^ and $; empty for a format that is not known. Each is a part of what RFC 3339, 4122, 5321, 1123,
// 2673 and 4291 allow: dates exist, there are no leap seconds, host names and mail addresses have no quoted
// or international parts, and IPv6 addresses are written out.
std::string FormatPattern(std::string_view format);

}  // namespace pith
