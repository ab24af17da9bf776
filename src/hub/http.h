// Http: requests to the hub, over libcurl. One object is one connection and serves one thread.
//
// Redirects are followed here, not by libcurl: the token goes to the hub's own address (scheme, host and port) and
// nowhere else, and nothing that began encrypted goes on in the clear.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith::hub {

inline constexpr size_t kMaxRedirects = 10;
inline constexpr size_t kMaxHeaderBytes = 256u << 10;  // of one answer
inline constexpr size_t kMaxAttempts = 6;              // in a row without a byte of progress
inline constexpr size_t kMaxFirstAttempts = 3;         // to reach a host that has never answered
inline constexpr double kMaxWaitFactor = 60;  // no wait is longer than this many first waits, Retry-After or not

// Tells all requests that were given it to end soon. Thread-safe.
class StopFlag {
 public:
  void Stop();
  bool stopped() const { return stopped_; }
  // False when it was stopped meanwhile.
  bool Sleep(double seconds);

 private:
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct HttpRequest {
  std::string url;
  bool head = false;
  // With `head`: the first answer that describes the file (x-linked-etag), or points to another host, is the result.
  bool stop_at_description = false;
  std::optional<uint64_t> first;  // bytes first to last, inclusive
  uint64_t last = 0;
};

struct HttpReply {
  int status = 0;  // 0: no answer came
  // Why there is no whole answer: "Could not resolve host: x"; empty where there is one.
  std::string problem;
  bool stopped = false;      // by the StopFlag or by the body's receiver
  bool unreachable = false;  // no connection came about
  bool hopeless = false;     // another try would end in the same way: a certificate, an address that is none
  std::map<std::string, std::string> headers;  // names in lower case; of the last answer
  std::string url;                             // that gave it

  bool good() const { return problem.empty() && status >= 200 && status < 300; }
  // Worth another try: no or half an answer, 408, 429, 5xx.
  bool transient() const;
  std::string Header(const std::string& name) const;  // empty where there is none
  std::optional<double> retry_after_seconds() const;  // the form in seconds; a date counts as none
};

struct HttpOptions {
  std::string endpoint;  // the token is for this address
  std::string token;
  double stall_seconds = 30;
};

class Http {
 public:
  // `stop` may be null; it must outlive the object.
  Http(HttpOptions options, StopFlag* stop);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  // Gets the bytes of a good answer (2xx) as they come, with what is known of it; false ends the request.
  using Body = std::function<bool(const HttpReply& head, ByteSpan data)>;

  // One attempt, redirects followed. Never fails by itself: the reply says what happened.
  HttpReply Perform(const HttpRequest& request, const Body& body);

 private:
  HttpReply PerformOne(const HttpRequest& request, const std::string& url, const Body& body);

  struct Handle;
  HttpOptions options_;
  StopFlag* stop_;
  std::unique_ptr<Handle> handle_;
};

// The waits between attempts: first, twice that, and so on; what Retry-After says where that is longer; both up to
// kMaxWaitFactor times the first.
class Backoff {
 public:
  explicit Backoff(double first_seconds) : first_(first_seconds) {}

  // The wait before the next attempt; empty when there were enough.
  std::optional<double> Next(const HttpReply& reply);
  void Progressed() {
    failures_ = 0;
    has_answered_ = true;
  }

 private:
  double first_;
  size_t failures_ = 0;
  bool has_answered_ = false;
};

// "https://host:443" of a URL; empty for what is no http URL.
std::string OriginOf(const std::string& url);

// The address that `location` means in an answer from `base`; empty for what is none.
std::string ResolvedUrl(const std::string& base, const std::string& location);

}  // namespace pith::hub
