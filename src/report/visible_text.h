// Text of others, made visible: file names, messages and names of codecs, for terminals and pages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pith::bench {

// Valid UTF-8 in which nothing hides, reorders or controls: bytes that are no UTF-8 become \xNN; controls,
// formatting characters (bidi controls, zero widths), separators of lines and unassigned code points become
// \n, \t or \u{202e}. For reading only: a backslash of `text` stays as it is.
std::string VisibleText(std::string_view text);

// Columns of visible text on a terminal: wide characters take two, combining marks none.
size_t TextColumns(std::string_view visible);

// At most `columns` columns, the end replaced by an ellipsis ("..." where `ascii`) if it is longer.
std::string CutText(std::string_view visible, size_t columns, bool ascii = false);

// The same with the middle left out: of a path, the name of the file stays.
std::string CutMiddle(std::string_view visible, size_t columns);

// With spaces behind, or before it, up to `columns`.
std::string PadRight(std::string_view visible, size_t columns);
std::string PadLeft(std::string_view visible, size_t columns);

// For text and quoted attributes of HTML.
std::string EscapeHtml(std::string_view visible);

}  // namespace pith::bench
