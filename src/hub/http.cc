#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace pith::hub {
namespace {

constexpr long kBufferBytes = 256 << 10;
constexpr double kMaxRetryAfter = 1e6;

// Once in the process, before the first handle; thread-safe as a local static is.
bool InitialiseCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK;
}

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

// libcurl gives names and blanks as they came.
std::pair<std::string, std::string> SplitHeader(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = line.find_first_not_of(kSpace, colon + 1);
  if (first == std::string_view::npos) return {name, ""};
  return {name, std::string(line.substr(first, line.find_last_not_of(kSpace) - first + 1))};
}

// A bundle of certificates, or a folder of them, that the user has set for other programs: behind a proxy that opens
// connections, nothing works without it, and libcurl itself asks none of these.
std::string CertificateBundle() {
  for (const char* name : {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return "";
}

// What the callbacks of one request see.
struct Exchange {
  HttpReply reply;
  const Http::Body* body = nullptr;
  const StopFlag* stop = nullptr;
  size_t header_bytes = 0;
  bool too_many_headers = false;
  bool out_of_memory = false;
};

void TakeHeader(Exchange& exchange, std::string_view line) {
  if (line.starts_with("HTTP/")) {  // also after "100 Continue" and a proxy's own answer: the last counts
    exchange.reply.headers.clear();
    const size_t space = line.find(' ');
    exchange.reply.status = 0;
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), exchange.reply.status);
    }
  } else if (auto [name, value] = SplitHeader(line); !name.empty()) {
    exchange.reply.headers[std::move(name)] = std::move(value);
  }
}

// The callbacks: no exception may go through libcurl, which is C. What is thrown here is memory that ran out.

extern "C" size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.too_many_headers = true;
    return 0;
  }
  try {
    TakeHeader(exchange, line);
  } catch (const std::exception&) {
    exchange.out_of_memory = true;
    return 0;  // anything but the size ends the transfer
  }
  return line.size();
}

extern "C" size_t OnBody(char* data, size_t size, size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const size_t n = size * count;
  try {
    const bool wanted = exchange.reply.status >= 200 && exchange.reply.status < 300 && *exchange.body;
    if (!wanted || (*exchange.body)(exchange.reply, AsBytes(std::string_view(data, n)))) return n;
    exchange.reply.stopped = true;
  } catch (const std::exception&) {
    exchange.out_of_memory = true;
  }
  return n == 0 ? 1 : 0;
}

extern "C" int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  if (exchange.stop == nullptr || !exchange.stop->stopped()) return 0;
  exchange.reply.stopped = true;
  return 1;
}

}  // namespace

// ---- StopFlag -----------------------------------------------------------------------------------------------------

void StopFlag::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

bool StopFlag::Sleep(double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return stopped_.load(); });
}

// ---- HttpReply ----------------------------------------------------------------------------------------------------

bool HttpReply::transient() const {
  return !stopped && !hopeless && (!problem.empty() || status == 0 || status == 408 || status == 429 || status >= 500);
}

std::string HttpReply::Header(const std::string& name) const {
  const auto it = headers.find(name);
  return it != headers.end() ? it->second : "";
}

std::optional<double> HttpReply::retry_after_seconds() const {
  const std::string text = Header("retry-after");
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0)) return std::nullopt;
  return std::min(seconds, kMaxRetryAfter);
}

// ---- Http ---------------------------------------------------------------------------------------------------------

struct Http::Handle {
  CURL* curl = nullptr;
  Handle() {
    if (InitialiseCurl()) curl = curl_easy_init();
  }
  ~Handle() { curl_easy_cleanup(curl); }  // null is allowed
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

Http::Http(HttpOptions options, StopFlag* stop)
    : options_(std::move(options)), stop_(stop), handle_(std::make_unique<Handle>()) {}
Http::~Http() = default;

HttpReply Http::Perform(const HttpRequest& request, const Body& body) {
  std::string url = request.url;
  for (size_t n = 0;; ++n) {
    HttpReply reply = PerformOne(request, url, body);
    const bool points_on = reply.problem.empty() && reply.status >= 301 && reply.status <= 308 && reply.status != 304 &&
                           !reply.Header("location").empty();
    if (!points_on) return reply;
    std::string next = ResolvedUrl(url, reply.Header("location"));
    if (n == kMaxRedirects || next.empty() || OriginOf(next).empty() ||
        (url.starts_with("https://") && !next.starts_with("https://"))) {
      reply.hopeless = true;
      reply.problem = n == kMaxRedirects ? "more than " + std::to_string(kMaxRedirects) + " redirects"
                                         : "redirected to what is no https address";
      return reply;
    }
    if (request.stop_at_description && (!reply.Header("x-linked-etag").empty() || OriginOf(next) != OriginOf(url))) {
      return reply;
    }
    url = std::move(next);
  }
}

HttpReply Http::PerformOne(const HttpRequest& request, const std::string& url, const Body& body) {
  Exchange exchange;
  exchange.body = &body;
  exchange.stop = stop_;
  exchange.reply.url = url;
  CURL* const curl = handle_->curl;
  if (curl == nullptr) {
    exchange.reply.problem = "libcurl gives no handle";
    exchange.reply.hopeless = true;
    return exchange.reply;
  }
  curl_easy_reset(curl);  // keeps the connection
  char error[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "pith");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  // Parallel ranges want connections of their own; HTTP/2 would put them on one.
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::ceil(options_.stall_seconds * 1000)));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::ceil(options_.stall_seconds)));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (request.head) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (const std::string bundle = CertificateBundle(); !bundle.empty()) {
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(bundle, ignored);
    curl_easy_setopt(curl, folder ? CURLOPT_CAPATH : CURLOPT_CAINFO, bundle.c_str());
  }
  std::string range;
  if (request.first) {
    range = std::to_string(*request.first) + "-" + std::to_string(request.last);
    curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  }
  // Compressed in transit, sizes and ranges would mean other bytes.
  curl_slist* list = curl_slist_append(nullptr, "Accept-Encoding: identity");
  if (!options_.token.empty() && OriginOf(url) == OriginOf(options_.endpoint)) {
    list = curl_slist_append(list, ("Authorization: Bearer " + options_.token).c_str());
  }
  const std::unique_ptr<curl_slist, FreeList> headers(list);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (code == CURLE_OK) return std::move(exchange.reply);
  exchange.reply.unreachable =
      code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT;
  exchange.reply.hopeless = exchange.too_many_headers || exchange.out_of_memory || code == CURLE_URL_MALFORMAT ||
                            code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_PEER_FAILED_VERIFICATION ||
                            code == CURLE_SSL_CACERT_BADFILE;
  exchange.reply.problem = exchange.too_many_headers ? "more than 256 KiB of headers"
                           : exchange.out_of_memory  ? "out of memory"
                           : error[0] != '\0'        ? error
                                                     : curl_easy_strerror(code);
  return std::move(exchange.reply);
}

// ---- Backoff ------------------------------------------------------------------------------------------------------

std::optional<double> Backoff::Next(const HttpReply& reply) {
  if (reply.status != 0) has_answered_ = true;
  if (++failures_ >= (reply.unreachable && !has_answered_ ? kMaxFirstAttempts : kMaxAttempts)) return std::nullopt;
  const double growing = first_ * static_cast<double>(uint64_t{1} << (failures_ - 1));
  return std::min(std::max(growing, reply.retry_after_seconds().value_or(0)), first_ * kMaxWaitFactor);
}

// ---- Addresses ----------------------------------------------------------------------------------------------------

std::string OriginOf(const std::string& text) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "";
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME);
  std::string host = Part(url.get(), CURLUPART_HOST);
  if ((scheme != "http" && scheme != "https") || host.empty()) return "";
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
  return scheme + "://" + host + ":" + Part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string ResolvedUrl(const std::string& base, const std::string& location) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return "";
  }
  return Part(url.get(), CURLUPART_URL);
}

}  // namespace pith::hub
