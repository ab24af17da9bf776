// pith models
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/job.h"
#include "pith/hub.h"

namespace pith::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string KindText(const ListedModel& model) {
  switch (model.kind) {
    case ModelKind::kBuiltin:
      return "built in";
    case ModelKind::kFile:
      return model.format + (model.cached ? ", in the cache" : "");
    case ModelKind::kCheckpoint:
      return model.converted ? "checkpoint" : "checkpoint, not converted";
  }
  return "";
}

// The command that uses it; empty where another line of the list has it.
std::string HowToUse(const ListedModel& model, bool name_is_clear) {
  switch (model.kind) {
    case ModelKind::kBuiltin:
      return model.name == BuiltinModelNames().front() ? "pith FILE" : "pith -4 FILE";
    case ModelKind::kFile:
      return "pith --model " + (name_is_clear ? model.name : model.path) + " FILE";
    case ModelKind::kCheckpoint:
      return model.converted ? "" : "pith pull --offline " + model.name;
  }
  return "";
}

std::string Padded(std::string text, size_t width, bool right = false) {
  if (text.size() < width) text.insert(right ? 0 : text.size(), width - text.size(), ' ');
  return text;
}

int List(const Arguments& arguments, Console& console) {
  const Result<std::vector<ListedModel>> models = ListModels();
  if (!models.ok()) {
    console.Error(models.status().message());
    return kExitFailed;
  }
  std::map<std::string, size_t> n_files;  // of one name
  size_t name_width = 4;
  size_t kind_width = 4;
  for (const ListedModel& model : *models) {
    n_files[model.name] += model.kind == ModelKind::kFile ? 1 : 0;
    name_width = std::max(name_width, Printable(model.name).size());
    kind_width = std::max(kind_width, KindText(model).size());
  }
  Json json = Json::array();
  std::string text;
  const auto row = [&](const std::string& name, const std::string& kind, const std::string& size,
                       const std::string& use) {
    std::string line =
        Padded(name, name_width) + "  " + Padded(kind, kind_width) + "  " + Padded(size, 10, true) + "  " + use;
    return line.substr(0, line.find_last_not_of(' ') + 1);
  };
  for (const ListedModel& model : *models) {
    const std::string use = HowToUse(model, n_files[model.name] == 1);
    if (arguments.json) {
      constexpr const char* kKinds[] = {"builtin", "file", "checkpoint"};
      json.push_back({{"name", model.name},
                      {"kind", kKinds[static_cast<size_t>(model.kind)]},
                      {"format", model.format},
                      {"bytes", model.bytes},
                      {"path", model.path},
                      {"cached", model.cached},
                      {"converted", model.converted},
                      {"use", use}});
      continue;
    }
    if (text.empty()) text = console.Bold(row("Name", "Kind", "Size", "Use")) + "\n";
    text += row(Printable(model.name), KindText(model), FormatBytes(model.bytes), Printable(use)) + "\n";
    if (console.verbose() && !model.path.empty()) text += "    " + Printable(model.path) + "\n";
  }
  if (arguments.json) text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return PrintOut(console, text) ? kExitOk : kExitFailed;
}

int Remove(const Arguments& arguments, Console& console) {
  const Result<RemovedModel> removed = RemoveModel(arguments.operands[1], arguments.cache);
  if (!removed.ok()) {
    console.Error(removed.status().message());
    return kExitFailed;
  }
  for (const std::string& path : removed->paths) console.Info("removed " + path);
  console.Info(FormatBytes(removed->bytes) + " freed");
  return kExitOk;
}

int ShowPath(const Arguments& arguments, Console& console) {
  const std::string& what = arguments.operands[1];
  const Result<FoundModel> found = FindModel(what);
  if (!found.ok()) {
    console.Error(found.status().message());
    for (const std::string& line : HowToGetModel(what)) console.Info(line);
    return kExitModel;
  }
  if (found->kind == ModelKind::kBuiltin) {
    console.Error(what + ": is part of the program, and has no path");
    return kExitModel;
  }
  return PrintOut(console, found->path + "\n") ? kExitOk : kExitFailed;
}

}  // namespace

int RunModels(const Arguments& arguments, Console& console) {
  if (arguments.operands.empty()) return List(arguments, console);
  return arguments.operands[0] == "rm" ? Remove(arguments, console) : ShowPath(arguments, console);
}

}  // namespace pith::cli
