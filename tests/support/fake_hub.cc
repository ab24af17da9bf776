#include "support/fake_hub.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "hub/digest.h"

namespace pith::test {
namespace {

constexpr size_t kStep = 16 << 10;  // of content at a time

void Sleep(double seconds) {
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

}  // namespace

FakeHub::FakeHub() {
  for (const bool large_server : {false, true}) {
    auto& server = servers_[large_server];
    server = std::make_unique<httplib::Server>();
    server->new_task_queue = [] { return new httplib::ThreadPool(32); };  // connections stay open
    server->set_keep_alive_timeout(1);
    server->set_keep_alive_max_count(1000);
    server->Get(".*", [this, large_server](const httplib::Request& request, httplib::Response& response) {
      Answer(request, response, large_server);
    });
    ports_[large_server] = server->bind_to_any_port("127.0.0.1");
    EXPECT_GT(ports_[large_server], 0);
    threads_[large_server] = std::thread([&server] { server->listen_after_bind(); });
  }
  for (const auto& server : servers_) {
    while (!server->is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

FakeHub::~FakeHub() {
  for (const auto& server : servers_) server->stop();
  for (std::thread& thread : threads_) thread.join();
}

std::string FakeHub::endpoint() const { return "http://127.0.0.1:" + std::to_string(ports_[0]); }
std::string FakeHub::large_origin() const { return "http://127.0.0.1:" + std::to_string(ports_[1]); }

void FakeHub::Put(const std::string& model, const std::string& file, const std::string& content, bool large) {
  const auto kind = large ? hub::EtagKind::kSha256 : hub::EtagKind::kGitSha1;
  const Result<std::string> etag = hub::EtagOf(kind, AsBytes(content));
  ASSERT_TRUE(etag.ok());
  const std::lock_guard<std::mutex> lock(mutex_);
  models_[model][file] = {content, *etag, large};
}

void FakeHub::PutFolder(const std::string& model, const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    Put(model, entry.path().filename().string(), content, content.size() > 1000);
  }
}

void FakeHub::SetCommit(const std::string& commit) {
  const std::lock_guard<std::mutex> lock(mutex_);
  commit_ = commit;
}

std::string FakeHub::commit() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return commit_;
}

void FakeHub::RequireToken(const std::string& token) {
  const std::lock_guard<std::mutex> lock(mutex_);
  token_ = token;
}

void FakeHub::SetFault(std::function<Fault(const Asked&)> fault) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fault_ = std::move(fault);
}

std::vector<FakeHub::Asked> FakeHub::asked() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return asked_;
}

uint64_t FakeHub::SentOf(const std::string& file) const {
  uint64_t sum = 0;
  for (const Asked& a : asked()) sum += a.file == file ? a.sent : 0;
  return sum;
}

size_t FakeHub::CountOf(const std::string& method, const std::string& file) const {
  const std::vector<Asked> all = asked();
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [&](const Asked& a) { return a.method == method && a.file == file; }));
}

void FakeHub::Answer(const httplib::Request& request, httplib::Response& response, bool large_server) {
  Asked asked{.method = request.method, .path = request.path, .large_server = large_server};
  const std::string authorization = request.get_header_value("Authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.starts_with(kBearer)) asked.token = authorization.substr(kBearer.size());
  if (!request.ranges.empty()) asked.first = static_cast<uint64_t>(request.ranges[0].first);

  // /api/models/MODEL/revision/REVISION, /MODEL/resolve/COMMIT/FILE; on the other server /MODEL/ETAG.
  std::string model;
  std::string revision;
  std::unique_lock<std::mutex> lock(mutex_);
  const std::string& path = request.path;
  constexpr std::string_view kApi = "/api/models/";
  const size_t resolve = path.find("/resolve/");
  if (path.starts_with(kApi)) {
    const size_t end = path.find("/revision/");
    model = path.substr(kApi.size(), end - kApi.size());
    revision = path.substr(end + 10);
  } else if (resolve != std::string::npos) {
    model = path.substr(1, resolve - 1);
    const size_t slash = path.find('/', resolve + 9);
    revision = path.substr(resolve + 9, slash - resolve - 9);
    asked.file = path.substr(slash + 1);
  } else {
    const size_t slash = path.rfind('/');
    model = path.substr(1, slash - 1);
    for (const auto& [name, file] : models_[model]) {
      if (file.etag == path.substr(slash + 1)) asked.file = name;
    }
  }
  for (const Asked& a : asked_) {
    asked.count += a.method == asked.method && a.path == asked.path && a.large_server == large_server;
  }
  const size_t index = asked_.size();
  asked_.push_back(asked);
  const Fault fault = fault_ ? fault_(asked) : Fault();
  lock.unlock();
  Sleep(fault.delay_seconds);
  lock.lock();

  for (const auto& [name, value] : fault.headers) response.set_header(name.c_str(), value);
  if (fault.status != 0) {
    response.status = fault.status;
    return;
  }
  if (!large_server && !token_.empty() && asked.token != token_) {
    response.status = 401;
    response.set_header("X-Error-Code", "RepoNotFound");
    return;
  }
  if (large_server && !asked.token.empty()) {  // as the hub's own storage: two ways to be let in are one too many
    response.status = 400;
    return;
  }
  if (models_.count(model) == 0 || (!large_server && revision != "main" && revision != "v1" && revision != commit_)) {
    response.status = 404;
    response.set_header("X-Error-Code", models_.count(model) == 0 ? "RepoNotFound" : "RevisionNotFound");
    return;
  }
  if (asked.file.empty()) {
    if (fault.body) {
      response.set_content(*fault.body, "application/json");
    } else {
      Describe(model, response);
    }
    return;
  }
  const auto found = models_[model].find(asked.file);
  if (found == models_[model].end()) {
    response.status = 404;
    response.set_header("X-Error-Code", "EntryNotFound");
    return;
  }
  const File file = found->second;
  const auto set = [&](const char* name, const std::string& value) {
    if (fault.headers.count(name) == 0) response.set_header(name, value);
  };
  if (!large_server) set("X-Repo-Commit", commit_);
  if (!large_server && file.large) {
    set("X-Linked-Etag", "\"" + file.etag + "\"");
    set("X-Linked-Size", std::to_string(file.content.size()));
    set("Location", large_origin() + "/" + model + "/" + file.etag);
    response.status = 302;
    return;
  }
  set("ETag", "\"" + file.etag + "\"");
  lock.unlock();
  Send(file, asked, fault, request, response, index);
}

void FakeHub::Describe(const std::string& model, httplib::Response& response) const {
  nlohmann::json json = {{"id", model}, {"sha", commit_}, {"siblings", nlohmann::json::array()}};
  for (const auto& [name, file] : models_.at(model)) json["siblings"].push_back({{"rfilename", name}});
  response.set_content(json.dump(), "application/json");
}

void FakeHub::Send(const File& file, const Asked& asked, const Fault& fault, const httplib::Request& request,
                   httplib::Response& response, size_t index) {
  uint64_t first = 0;
  uint64_t end = file.content.size();
  if (asked.first && !fault.ignore_range) {
    first = *asked.first + fault.shifted.value_or(0);
    end = std::min<uint64_t>(end, static_cast<uint64_t>(request.ranges[0].second) + 1);
    response.status = 206;
    response.set_header("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(end - 1) + "/" +
                                             std::to_string(file.content.size()));
  } else {
    response.status = 200;
  }
  // The library would cut what it is given by the range once more, and knows no faults.
  const_cast<httplib::Request&>(request).ranges.clear();
  const std::string slice = (fault.body ? *fault.body : file.content).substr(first, end - first);
  if (request.method == "HEAD" || slice.empty()) {
    response.set_content(slice, "application/octet-stream");
    return;
  }
  response.set_content_provider(slice.size(), "application/octet-stream",
                                [this, slice, fault, index](size_t offset, size_t length, httplib::DataSink& sink) {
                                  size_t n = std::min(length, kStep);
                                  if (fault.cut_after) {
                                    if (offset >= *fault.cut_after) return false;
                                    n = std::min<size_t>(n, *fault.cut_after - offset);
                                  }
                                  Sleep(fault.pause_seconds);
                                  if (!sink.write(slice.data() + offset, n)) return false;
                                  const std::lock_guard<std::mutex> lock(mutex_);
                                  asked_[index].sent += n;
                                  return true;
                                });
}

}  // namespace pith::test
