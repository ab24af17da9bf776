// What a chat costs on this machine: time to the first token, decoding, a second turn, guessing ahead while
// copying a text.
//
//   chat_benchmark MODEL [--threads 1,2] [--prompt 512] [--copy FILE]
//
// MODEL is any model file; synthetic weights will do. Copying cannot be asked of those, so the answer is
// forced: only the next token of the text may come, as if the model had been sure of it, and every 20th token
// of the copy is another one. One JSON object a line.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "api/model_impl.h"
#include "base/file.h"
#include "chat/generator.h"

namespace pith {
namespace {

// Only the next token of `text` may come.
class Forced : public TokenConstraint {
 public:
  explicit Forced(std::vector<TokenId> text) : text_(std::move(text)) {}
  void Reset() override { next_ = 0; }
  void Mask(std::span<uint64_t> allowed) override {
    std::fill(allowed.begin(), allowed.end(), 0);
    if (next_ < text_.size()) allowed[text_[next_] / 64] |= uint64_t{1} << (text_[next_] % 64);
  }
  bool MayEnd() const override { return next_ == text_.size(); }
  Status Accept(TokenId) override {
    ++next_;
    return OkStatus();
  }

 private:
  std::vector<TokenId> text_;
  size_t next_ = 0;
};

class Ignore : public TokenSink {
 public:
  bool Put(TokenId) override { return true; }
};

template <typename T>
T OrExit(Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "chat_benchmark: %s\n", result.status().message().c_str());
  std::exit(1);
}

class Bench {
 public:
  Bench(const std::string& path, size_t threads, size_t context)
      : model_(OrExit(Model::Open(path, {.threads = threads}))),
        engine_(model_.impl().NewEngine({.window = static_cast<uint32_t>(context), .n_sinks = 0})),
        stream_(*engine_) {}

  Model& model() { return model_; }

  GenerateCounts Run(const std::vector<TokenId>& prompt, size_t max_tokens, bool draft,
                     TokenConstraint* constraint = nullptr) {
    Sampler sampler({.temperature = 0});
    Ignore sink;
    GenerateCounts counts;
    if (constraint != nullptr) constraint->Reset();
    const Status status = Generate(stream_, sampler,
                                   {.prompt = prompt,
                                    .stop_tokens = {},
                                    .max_tokens = max_tokens,
                                    .n_ids = model_.impl().tokenizer->vocab_size(),
                                    .draft = draft,
                                    .constraint = constraint},
                                   sink, counts);
    if (!status.ok()) {
      std::fprintf(stderr, "chat_benchmark: %s\n", status.message().c_str());
      std::exit(1);
    }
    return counts;
  }

 private:
  Model model_;
  std::unique_ptr<Engine> engine_;
  TokenStream stream_;
};

double Rate(size_t n, double seconds) { return static_cast<double>(n) / seconds; }

void RunThreads(const std::string& path, size_t threads, size_t n_prompt, const std::string& copy_file) {
  const Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(copy_file);
  Bench bench(path, threads, 8192);
  const Tokenizer& tokenizer = *bench.model().impl().tokenizer;
  std::vector<TokenId> prompt;
  for (size_t i = 0; i < n_prompt; ++i)
    prompt.push_back(static_cast<TokenId>((i * 7919 + 13) % tokenizer.vocab_size()));

  GenerateCounts first = bench.Run(prompt, 1, false);  // makes workspaces and pages
  std::vector<TokenId> other = prompt;
  other[0] ^= 1;  // nothing is known of it
  first = bench.Run(other, 65, false);
  std::printf(
      "{\"threads\": %zu, \"prompt\": %zu, \"first_token_s\": %.3f, \"prefill\": %.1f, \"decode\": %.1f",
      threads, first.prefilled, first.prefill_seconds, Rate(first.prefilled, first.prefill_seconds),
      Rate(64, first.decode_seconds));
  // A second turn: what was said, and a little more.
  other.insert(other.end(), prompt.begin(), prompt.begin() + 20);
  const GenerateCounts second = bench.Run(other, 1, false);
  std::printf(", \"second_turn_known\": %zu, \"second_turn_new\": %zu, \"second_turn_s\": %.3f",
              second.reused, second.prefilled, second.prefill_seconds);

  if (file.ok()) {
    std::vector<TokenId> text;
    tokenizer.Encode((*file)->bytes().first(std::min<size_t>((*file)->bytes().size(), 3000)), text);
    std::vector<TokenId> edited = text;
    for (size_t i = 19; i < edited.size(); i += 20) edited[i] = text[(i * 31) % text.size()];
    Forced forced(edited);
    const GenerateCounts plain = bench.Run(text, 0, false, &forced);
    const GenerateCounts drafted = bench.Run(text, 0, true, &forced);
    const double before = Rate(plain.generated, plain.decode_seconds);
    const double after = Rate(drafted.generated, drafted.decode_seconds);
    std::printf(
        ", \"copy_tokens\": %zu, \"copy_plain\": %.1f, \"copy_drafted\": %.1f, \"copy_ratio\": %.2f, "
        "\"guessed\": %zu, \"right\": %zu",
        plain.generated, before, after, after / before, drafted.drafted, drafted.accepted);
  }
  std::printf("}\n");
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  std::string path, threads = "1,2", copy;
  size_t n_prompt = 512;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--threads") == 0 && more) {
      threads = argv[++i];
    } else if (std::strcmp(argv[i], "--prompt") == 0 && more) {
      n_prompt = std::strtoul(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--copy") == 0 && more) {
      copy = argv[++i];
    } else if (path.empty() && argv[i][0] != '-') {
      path = argv[i];
    } else {
      path.clear();
      break;
    }
  }
  if (path.empty() || n_prompt < 20 || n_prompt > 4096) {
    std::fprintf(stderr, "usage: chat_benchmark MODEL [--threads 1,2] [--prompt 20..4096] [--copy FILE]\n");
    return 2;
  }
  for (const char* at = threads.c_str(); *at != 0;) {
    char* end = nullptr;
    const size_t n = std::strtoul(at, &end, 10);
    if (end == at || n == 0) break;
    RunThreads(path, n, n_prompt, copy);
    at = *end == ',' ? end + 1 : end;
  }
  return 0;
}

}  // namespace
}  // namespace pith

int main(int argc, char** argv) { return pith::Main(argc, argv); }
