#include "grammar/json_format_patterns.h"

namespace pith {
namespace {

// Months of 31 days, of 30, February, and its 29th in years that divide by 4, of full centuries by 400. No
// year 0000, which date libraries refuse.
constexpr std::string_view kYear = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])";
constexpr std::string_view kLeapYear =
    "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
constexpr std::string_view kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::string_view kByte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
constexpr std::string_view kLabel = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

std::string Date() {
  const std::string year(kYear);
  return "(" + year + "-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|" + year +
         "-(0[469]|11)-(0[1-9]|[12][0-9]|30)|" + year + "-02-(0[1-9]|1[0-9]|2[0-8])|" +
         std::string(kLeapYear) + "-02-29)";
}

}  // namespace

std::string FormatPattern(std::string_view format) {
  const std::string byte(kByte);
  const std::string label(kLabel);
  if (format == "date") return Date();
  if (format == "time") return std::string(kTime);
  if (format == "date-time") return Date() + "T" + std::string(kTime);
  if (format == "duration") {
    const std::string time =
        "T([0-9]{1,6}H([0-9]{1,6}M([0-9]{1,6}S)?)?|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S)";
    const std::string days = "[0-9]{1,6}D";
    const std::string months = "[0-9]{1,6}M(" + days + ")?";
    const std::string date = "([0-9]{1,6}Y(" + months + ")?|" + months + "|" + days + ")";
    return "P(" + date + "(" + time + ")?|" + time + "|[0-9]{1,6}W)";
  }
  if (format == "uuid") return "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
  if (format == "ipv4") return "(" + byte + "\\.){3}" + byte;
  if (format == "ipv6") return "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}";
  if (format == "hostname")
    return label + "(\\." + label + "){0,3}";  // of at most 253 characters: 4 labels of 63 and dots
  if (format == "email") {
    const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
    return atom + "(\\." + atom + "){0,2}@" + label + "(\\." + label + "){1,3}";
  }
  return "";
}

}  // namespace pith
