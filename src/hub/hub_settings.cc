#include "hub/hub_settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "formats/json.h"

namespace pith::hub {
namespace {

constexpr size_t kMaxToken = 1024;
constexpr double kMaxSeconds = 3600;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// "~/x" by HOME, as Python's expanduser has it.
std::string Expanded(std::string path) {
  const std::string home = Variable("HOME");
  if (!home.empty() && (path == "~" || path.starts_with("~/"))) path.replace(0, 1, home);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string HomeFolder() {
  if (const std::string home = Variable("HF_HOME"); !home.empty()) return Expanded(home);
  if (const std::string cache = Variable("XDG_CACHE_HOME"); !cache.empty()) return Expanded(cache) + "/huggingface";
  if (const std::string home = Variable("HOME"); !home.empty()) return home + "/.cache/huggingface";
  return "";
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

Result<std::string> ReadToken() {
  std::string token = Trimmed(Variable("HF_TOKEN"));
  std::string from = "HF_TOKEN";
  if (token.empty()) {
    from = Expanded(Variable("HF_TOKEN_PATH"));
    if (const std::string home = HomeFolder(); from.empty() && !home.empty()) from = home + "/token";
    std::ifstream file(from, std::ios::binary);
    std::string content(kMaxToken + 1, '\0');
    if (!from.empty() && file) {
      file.read(content.data(), static_cast<std::streamsize>(content.size()));
      content.resize(static_cast<size_t>(file.gcount()));
      token = Trimmed(content);
    }
  }
  // It goes into a header line: a line break would begin another header.
  if (token.size() > kMaxToken ||
      std::any_of(token.begin(), token.end(), [](char c) { return c <= 0x20 || c >= 0x7f; })) {
    return InvalidArgument(from + ": holds no token, expected one word of at most " + std::to_string(kMaxToken) +
                           " characters");
  }
  return token;
}

// As huggingface_hub reads it.
bool IsTrue(const char* name) {
  std::string value = Variable(name);
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::toupper(c); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

Status SetSeconds(const char* name, double& seconds) {
  const std::string text = Variable(name);
  if (text.empty()) return OkStatus();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= kMaxSeconds)) {
    return InvalidArgument(std::string(name) + ": " + Quoted(text) + " is no number of seconds from 0 to 3600");
  }
  seconds = value;
  return OkStatus();
}

}  // namespace

std::string HubCacheFolder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string cache = Variable(name); !cache.empty()) return Expanded(cache);
  }
  const std::string home = HomeFolder();
  return home.empty() ? "" : home + "/hub";
}

Result<HubSettings> SettingsFromEnvironment() {
  HubSettings settings;
  settings.cache = HubCacheFolder();
  if (std::string endpoint = Variable("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if ((!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) || !IsPrintableUtf8(endpoint) ||
        endpoint.find_first_of(" @?#") != std::string::npos) {
      return InvalidArgument("HF_ENDPOINT: " + Quoted(endpoint) + ", expected a URL such as https://huggingface.co");
    }
    settings.endpoint = std::move(endpoint);
  }
  PITH_ASSIGN_OR_RETURN(settings.token, ReadToken());
  settings.offline = IsTrue("HF_HUB_OFFLINE");
  settings.plain_files = IsTrue("HF_HUB_DISABLE_SYMLINKS");
  PITH_RETURN_IF_ERROR(SetSeconds("HF_HUB_DOWNLOAD_TIMEOUT", settings.stall_seconds));
  PITH_RETURN_IF_ERROR(SetSeconds("PITH_RETRY_SECONDS", settings.retry_seconds));
  return settings;
}

}  // namespace pith::hub
