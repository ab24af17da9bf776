// ModelFinder: which model a command means, and which one an archive wants.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "pith/hub.h"
#include "pith/pith.h"

namespace pith::cli {

// Loads each model once. Not copyable; models live as long as it.
class ModelFinder {
 public:
  // `choice`: what --model says. `console` must outlive the finder.
  ModelFinder(std::optional<std::string> choice, const ModelOptions& options, Console& console)
      : choice_(std::move(choice)), options_(options), console_(console) {}

  // For compress and eval: what FindModel finds, unless it is a checkpoint. A failure is final: exit code 3.
  Result<Model*> Open(const std::string& what);
  Result<Model*> Default() { return Open(choice_.value_or("builtin")); }

  // ModelOfLevel; --model goes first.
  Result<Model*> ForLevel(uint32_t level);

  // For decoding: the built-in model if its fingerprint fits, else --model, else the model folders.
  // kWrongModel when --model does not fit, kNotFound with the way out when there is none.
  Result<Model*> ForArchive(const std::string& name, const std::string& fingerprint);

  // True when the last failure of a command was ours.
  bool failed() const { return failed_; }
  // After the error of a failure: how to get the model, where that can be said.
  void ShowWayOut() const;

 private:
  Result<Model*> FindAndLoad(const std::string& what);
  Result<Model*> Load(const std::string& path);
  Result<Model*> FindFor(const std::string& name, const std::string& fingerprint);
  std::optional<std::string> SearchFolders(const std::string& name, const std::string& fingerprint);

  std::optional<std::string> choice_;
  ModelOptions options_;
  Console& console_;
  std::map<std::string, Model> loaded_;  // by path; "builtin" for the built-in one
  std::map<std::string, Model*> by_fingerprint_;
  bool failed_ = false;
  std::vector<std::string> way_out_;
};

}  // namespace pith::cli
