#include "report/page_html.h"

#include "report/number_text.h"
#include "report/visible_text.h"

namespace pith::bench {

std::string Safe(const std::string& text, size_t columns) {
  return EscapeHtml(CutText(VisibleText(text), columns));
}

std::string CodecName(const Results& results, size_t codec) {
  return Safe(results.codecs[codec].name, kMaxCodecNameColumns);
}

std::string Unbroken(std::string html) {
  for (const char* second : {" %", " bytes", " KB", " MB", " GB", " TB", " -"}) {
    for (size_t at = html.find(second); at != std::string::npos; at = html.find(second, at + 1)) {
      html.replace(at, 1, "\xc2\xa0");
    }
  }
  return html;
}

std::string RowHead(const Results& results, size_t codec) {
  const std::string name = CodecName(results, codec);
  return "<tr><th scope=\"row\">" +
         (results.codecs[codec].is_pith ? "<span class=\"ours\">" + name + "</span>" : name) + "</th>";
}

std::string Cell(const std::string& html) { return "<td class=\"n\">" + html + "</td>"; }

std::string SpeedOrNone(const std::optional<double>& speed) { return speed ? SpeedText(*speed) : kNone; }

std::string MemoryOrNone(uint64_t bytes) { return bytes > 0 ? BytesText(static_cast<double>(bytes)) : kNone; }

std::string OpenTable(const std::string& caption, const std::vector<std::string>& heads) {
  std::string out = "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + caption +
                    "\"><table>\n<caption>" + caption + "</caption>\n<thead><tr>";
  for (const std::string& head : heads) out += "<th scope=\"col\">" + head + "</th>";
  return out + "</tr></thead>\n<tbody>\n";
}

std::string CloseTable() { return "</tbody></table></div>\n"; }

}  // namespace pith::bench
