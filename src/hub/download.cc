#include "hub/download.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "hub/partial_file.h"

namespace pith::hub {
namespace {

constexpr auto kReportEvery = std::chrono::milliseconds(100);

// "bytes 5-9/10" -> 5; empty for anything else, or another total.
std::optional<uint64_t> RangeBegin(const std::string& header, uint64_t size) {
  constexpr std::string_view kUnit = "bytes ";
  if (!header.starts_with(kUnit)) return std::nullopt;
  const char* const end = header.data() + header.size();
  uint64_t first = 0;
  uint64_t last = 0;
  const auto [dash, error] = std::from_chars(header.data() + kUnit.size(), end, first);
  if (error != std::errc() || dash == end || *dash != '-') return std::nullopt;
  const auto [slash, problem] = std::from_chars(dash + 1, end, last);
  if (problem != std::errc() || slash == end || *slash != '/') return std::nullopt;
  const std::string_view total(slash + 1, static_cast<size_t>(end - slash - 1));
  if (total != "*" && total != std::to_string(size)) return std::nullopt;
  return first;
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  return text;
}

class Downloader {
 public:
  Downloader(const RemoteFile& remote, PartialFile& file, const DownloadOptions& options)
      : remote_(remote), file_(file), options_(options), done_(file.done()) {}

  ~Downloader() { Join(true); }

  Result<uint64_t> Run(const std::function<bool(const DownloadProgress&)>& progress) {
    PITH_RETURN_IF_ERROR(Round(progress));
    if (ranges_ignored_) {
      // Once more, by a single connection that begins at the first byte.
      PITH_RETURN_IF_ERROR(file_.StartOver());
      done_ = 0;
      next_part_ = 0;
      without_ranges_ = true;
      PITH_RETURN_IF_ERROR(Round(progress));
    }
    return fetched_.load();
  }

 private:
  Status Round(const std::function<bool(const DownloadProgress&)>& progress) {
    stop_.emplace();
    const size_t n_open = static_cast<size_t>(
        std::count_if(file_.parts().begin(), file_.parts().end(), [](const auto& part) { return !part.complete(); }));
    const size_t n = std::min(n_open, std::max<size_t>(options_.connections, 1));
    running_ = 0;
    for (size_t i = 0; i < n; ++i) {
      try {
        const std::lock_guard<std::mutex> lock(mutex_);
        workers_.emplace_back([this] { Work(); });
        ++running_;
      } catch (const std::system_error& e) {
        if (i == 0) return IoError(std::string("cannot start a thread: ") + e.what());
        break;  // fewer connections do, too
      }
    }
    bool wanted = true;
    std::unique_lock<std::mutex> lock(mutex_);
    while (running_ > 0) {
      changed_.wait_for(lock, kReportEvery);
      const DownloadProgress now{.done = done_, .note = note_};
      lock.unlock();
      if (wanted && progress && !progress(now)) {
        wanted = false;
        stop_->Stop();
      }
      lock.lock();
    }
    lock.unlock();
    Join(false);
    if (!wanted) return Cancelled(remote_.name + ": cancelled");
    return failure_;
  }

  void Join(bool stop) {
    if (stop && stop_) stop_->Stop();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  // A thread: takes parts until there are no more.
  void Work() {
    try {
      Http http(options_.http, &*stop_);
      while (!stop_->stopped()) {
        const size_t part = next_part_++;
        if (part >= file_.parts().size()) break;
        if (file_.parts()[part].complete()) continue;
        if (const Status status = FetchPart(http, part); !status.ok()) {
          Fail(status);
          break;
        }
      }
    } catch (const std::exception& e) {
      Fail(IoError(remote_.name + ": " + e.what()));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  void Fail(const Status& status) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (failure_.ok()) failure_ = status;
    }
    stop_->Stop();
  }

  void Note(std::string text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    note_ = std::move(text);
  }

  // OK also when the StopFlag ended it.
  Status FetchPart(Http& http, size_t index) {
    const PartialFile::Part* part = &file_.parts()[index];
    Backoff backoff(options_.retry_seconds);
    while (!part->complete()) {
      if (without_ranges_ && part->done > 0) {
        done_ -= part->done;
        PITH_RETURN_IF_ERROR(file_.StartOver());
        part = &file_.parts()[index];
      }
      const bool all = part->begin == 0 && part->end == remote_.size && part->done == 0;
      HttpRequest request{.url = remote_.url};
      if (!all) {
        request.first = part->begin + part->done;
        request.last = part->end - 1;
      }
      Status failure;
      std::string wrong;  // what is wrong with a good answer
      const uint64_t before = part->done;
      HttpReply reply = http.Perform(request, [&](const HttpReply& head, ByteSpan data) {
        if (part->done == before && !IsWhatWasAsked(head, request, wrong)) return false;
        if (data.size() > part->end - part->begin - part->done) {
          wrong = "more bytes than the " + std::to_string(part->end - part->begin) + " asked for";
          return false;
        }
        failure = file_.Append(index, data);
        if (!failure.ok()) return false;
        done_ += data.size();
        fetched_ += data.size();
        return true;
      });
      if (!failure.ok()) return failure;
      if (ranges_ignored_ && !without_ranges_) {
        stop_->Stop();
        return OkStatus();
      }
      if (part->complete()) break;
      if (stop_->stopped()) return OkStatus();
      if (reply.good() && wrong.empty()) wrong = "the answer ended too early";
      if (!wrong.empty()) {
        reply.problem = wrong;
        reply.stopped = false;
      }
      // What will be fetched again from the first byte is no progress.
      if (part->done > before && !without_ranges_) backoff.Progressed();
      const std::optional<double> wait = reply.transient() ? backoff.Next(reply) : std::nullopt;
      if (!wait) {
        return options_.explain ? options_.explain(reply, remote_.name)
                                : ExplainReply(reply, remote_.name, options_.http);
      }
      Note((reply.problem.empty() ? "answer " + std::to_string(reply.status) : reply.problem) + "; again in " +
           Seconds(*wait));
      if (!stop_->Sleep(*wait)) return OkStatus();
      Note("");
    }
    return OkStatus();
  }

  // Looks at the head of a good answer. A server that sends everything where a range was asked for sets
  // ranges_ignored_.
  bool IsWhatWasAsked(const HttpReply& head, const HttpRequest& request, std::string& wrong) {
    if (request.first && head.status == 206) {
      if (RangeBegin(head.Header("content-range"), remote_.size) == *request.first) return true;
      wrong = "bytes " + Quoted(head.Header("content-range")) + ", expected " + std::to_string(*request.first) + "-" +
              std::to_string(request.last) + "/" + std::to_string(remote_.size);
      return false;
    }
    if (request.first) {
      ranges_ignored_ = true;
      return false;
    }
    const std::string length = head.Header("content-length");
    if (length.empty() || length == std::to_string(remote_.size)) return true;
    wrong = length + " bytes, expected " + std::to_string(remote_.size);
    return false;
  }

  const RemoteFile& remote_;
  PartialFile& file_;
  const DownloadOptions& options_;

  std::optional<StopFlag> stop_;  // of this round
  std::vector<std::thread> workers_;
  std::atomic<size_t> next_part_ = 0;
  std::atomic<uint64_t> done_;
  std::atomic<uint64_t> fetched_ = 0;
  std::atomic<bool> ranges_ignored_ = false;
  bool without_ranges_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  size_t running_ = 0;
  std::string note_;
  Status failure_;
};

}  // namespace

Result<uint64_t> Download(const RemoteFile& remote, const std::string& path, const DownloadOptions& options,
                          const std::function<bool(const DownloadProgress&)>& progress) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<PartialFile> file,
                        PartialFile::Open(path, remote.size, options.part_bytes));
  uint64_t fetched = 0;
  if (file->done() < remote.size) {
    PITH_ASSIGN_OR_RETURN(fetched, Downloader(remote, *file, options).Run(progress));
  }
  PITH_RETURN_IF_ERROR(file->Finish());
  return fetched;
}

Status ExplainReply(const HttpReply& reply, const std::string& what, const HttpOptions& options) {
  const std::string code = reply.Header("x-error-code");
  const std::string login = options.token.empty()
                                ? "set HF_TOKEN, or put a token into the file $HF_HOME/token"
                                : "the token that was sent (HF_TOKEN, or the token file) does not give it";
  if (!reply.problem.empty() || reply.status == 0) return ExplainPlainReply(reply, what);
  if (reply.status == 404 && code == "RevisionNotFound") return NotFound(what + ": the hub has no such revision (404)");
  if (reply.status == 404 && code == "EntryNotFound") return NotFound(what + ": the hub has no such file (404)");
  if (code == "GatedRepo") {
    return IoError(what + ": the model is gated (" + std::to_string(reply.status) +
                   "): accept its terms on its page at " + options.endpoint + ", and " + login);
  }
  if (reply.status == 401 || code == "RepoNotFound") {
    return NotFound(what + ": the hub shows no such model (" + std::to_string(reply.status) +
                    "): check the name; if the model is private, " + login);
  }
  if (reply.status == 403) return IoError(what + ": the hub gives no access (403): " + login);
  if (reply.status == 404) return NotFound(what + ": the hub has no such model, revision or file (404)");
  if (reply.status == 429) {
    const std::optional<double> wait = reply.retry_after_seconds();
    return IoError(what + ": the hub asks for fewer requests (429): try again " +
                   (wait ? "in " + Seconds(*wait) : "later") +
                   (options.token.empty() ? "; with a token (HF_TOKEN) it allows more" : ""));
  }
  return ExplainPlainReply(reply, what);
}

Status ExplainPlainReply(const HttpReply& reply, const std::string& what) {
  const std::string host = OriginOf(reply.url).substr(0, OriginOf(reply.url).rfind(':'));
  if (!reply.problem.empty() || reply.status == 0) {
    return IoError(what + ": " + (reply.problem.empty() ? "no answer" : reply.problem) + " (" + host + ")" +
                   (reply.hopeless ? "" : "; what was fetched is kept, so try again"));
  }
  if (reply.status == 404 || reply.status == 410) {
    return NotFound(what + ": " + host + " has no such file (" + std::to_string(reply.status) + ")");
  }
  if (reply.status == 429 || reply.status >= 500) {
    return IoError(what + ": " + host + " is in trouble (" + std::to_string(reply.status) +
                   "): try again later; what was fetched is kept");
  }
  return IoError(what + ": unexpected answer " + std::to_string(reply.status) + " from " + host);
}

}  // namespace pith::hub
