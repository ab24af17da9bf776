// FakeHub: plays the Hugging Face hub and the server that it keeps large files on, on two ports of this machine, with
// every fault that a test asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace pith::test {

class FakeHub {
 public:
  // One request, as it came.
  struct Asked {
    std::string method;
    std::string path;
    std::string file;               // of the repository; empty for the description
    std::string token;              // of "Authorization: Bearer"; empty: none
    std::optional<uint64_t> first;  // of a range
    bool large_server = false;      // asked of the one for large files
    size_t count = 0;               // of this method, path and server before it
    uint64_t sent = 0;              // bytes of content
  };
  struct Fault {
    int status = 0;                              // answered instead; 0: as it should be
    std::map<std::string, std::string> headers;  // added, or other values
    std::optional<uint64_t> cut_after;           // bytes of content after which the connection breaks
    bool ignore_range = false;
    std::optional<uint64_t> shifted;  // a range that begins so much too late
    double delay_seconds = 0;         // before the answer
    double pause_seconds = 0;         // after each 16 KiB of content
    std::optional<std::string> body;  // instead of the content
  };

  FakeHub();
  ~FakeHub();
  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;

  std::string endpoint() const;      // "http://127.0.0.1:PORT"
  std::string large_origin() const;  // of the server for large files

  // Large files lie on the other server and have SHA-256 for an etag. `model` is "ORG/NAME".
  void Put(const std::string& model, const std::string& file, const std::string& content, bool large = false);
  // Every file below a folder; large above 1000 bytes.
  void PutFolder(const std::string& model, const std::string& folder);
  // From now on the branch main of all models is this commit (40 digits).
  void SetCommit(const std::string& commit);
  std::string commit() const;
  void RequireToken(const std::string& token);
  // Decides on each request; called from several threads, one at a time.
  void SetFault(std::function<Fault(const Asked&)> fault);

  std::vector<Asked> asked() const;
  uint64_t SentOf(const std::string& file) const;  // bytes of its content so far
  size_t CountOf(const std::string& method, const std::string& file) const;

 private:
  struct File {
    std::string content;
    std::string etag;
    bool large = false;
  };
  void Answer(const httplib::Request& request, httplib::Response& response, bool large_server);
  void Describe(const std::string& model, httplib::Response& response) const;
  void Send(const File& file, const Asked& asked, const Fault& fault, const httplib::Request& request,
            httplib::Response& response, size_t index);

  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, File>> models_;
  std::string commit_ = "0123456789abcdef0123456789abcdef01234567";
  std::string token_;
  std::function<Fault(const Asked&)> fault_;
  std::vector<Asked> asked_;

  std::unique_ptr<httplib::Server> servers_[2];
  int ports_[2] = {0, 0};
  std::thread threads_[2];
};

}  // namespace pith::test
