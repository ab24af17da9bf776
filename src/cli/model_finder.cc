#include "cli/model_finder.h"

#include <utility>

#include "api/levels.h"

namespace pith::cli {
namespace {

// Models that an earlier version had inside, whose archives are of a format that is still read.
struct FormerBuiltin {
  std::string fingerprint;
  std::string version;
};
const FormerBuiltin kFormerBuiltins[] = {{"a23d55447fa098c83f68ed0f0f4edb95", "0.2.0"}, {"3ef1c7ed21ad2c300e4dae7d9eeea883", "0.4.0"}};
constexpr size_t kTellingDigits = 8;  // of a fingerprint: fewer might be any model's

}  // namespace

Result<Model*> ModelFinder::Load(const std::string& path) {
  if (const auto it = loaded_.find(path); it != loaded_.end()) return &it->second;
  const Stopwatch watch;
  PITH_ASSIGN_OR_RETURN(Model model,
                        IsBuiltinModel(path) ? Model::Builtin(options_, path) : Model::Open(path, options_));
  console_.Detail("model " + model.info().name + ", fingerprint " + model.info().fingerprint + ", from " +
                  path + ", " + Plural(model.threads(), "thread") + ", " + InstructionSet() + ", loaded in " +
                  std::to_string(static_cast<int>(watch.seconds() * 1000)) + " ms");
  Model* const kept = &loaded_.emplace(path, std::move(model)).first->second;
  by_fingerprint_[kept->info().fingerprint] = kept;
  return kept;
}

Result<Model*> ModelFinder::Open(const std::string& what) {
  Result<Model*> model = FindAndLoad(what);
  failed_ = failed_ || !model.ok();
  return model;
}

Result<Model*> ModelFinder::FindAndLoad(const std::string& what) {
  const Result<FoundModel> found = FindModel(what);
  if (!found.ok()) {
    if (found.status().code() == StatusCode::kNotFound) way_out_ = HowToGetModel(what);
    return found.status();
  }
  if (found->kind == ModelKind::kCheckpoint) {
    return Unsupported(what + ": is a checkpoint, expected a model file; make one of it with pith convert " + what);
  }
  return Load(found->path);
}

void ModelFinder::ShowWayOut() const {
  for (const std::string& line : way_out_) console_.Info(line);
}

Result<Model*> ModelFinder::ForLevel(uint32_t level) { return Open(choice_ ? *choice_ : ModelOfLevel(level)); }

Result<Model*> ModelFinder::ForArchive(const std::string& name, const std::string& fingerprint) {
  // Four digits, all that the shortest archives give, might be another model's: what was asked for comes first.
  if (choice_ && fingerprint.size() < kTellingDigits) {
    const Result<Model*> chosen = FindAndLoad(*choice_);
    if (chosen.ok() && (*chosen)->info().fingerprint.starts_with(fingerprint)) return *chosen;
  }
  if (const auto it = by_fingerprint_.lower_bound(fingerprint);
      it != by_fingerprint_.end() && it->first.starts_with(fingerprint)) {
    return it->second;
  }
  Result<Model*> model = FindFor(name, fingerprint);
  failed_ = failed_ || !model.ok();
  return model;
}

Result<Model*> ModelFinder::FindFor(const std::string& name, const std::string& fingerprint) {
  for (const std::string& builtin : BuiltinModelNames()) {
    if (BuiltinFingerprint(builtin).starts_with(fingerprint)) return Load(builtin);
  }
  const std::string wanted =
      (name.empty() ? "made with the model of" : "made with model " + name + ",") + std::string(" fingerprint ") +
      fingerprint + (fingerprint.size() < 32 ? ".." : "");
  if (choice_) {
    PITH_ASSIGN_OR_RETURN(Model * model, Open(*choice_));
    if (model->info().fingerprint.starts_with(fingerprint)) return model;
    return WrongModel(wanted + "; " + *choice_ + " is " + model->info().name + ", " +
                      model->info().fingerprint);
  }
  if (const std::optional<std::string> path = SearchFolders(name, fingerprint)) return Load(*path);
  std::string way_out = "give it with --model FILE";
  const std::vector<std::string> folders = UserModelFolders();
  if (!folders.empty()) way_out += " or put it into " + folders.back();
  for (const FormerBuiltin& former : kFormerBuiltins) {
    if (!former.fingerprint.starts_with(fingerprint)) continue;
    const std::string certainty = fingerprint.size() < kTellingDigits ? "perhaps the one that" : "which";
    return NotFound(wanted + ", " + certainty + " pith " + former.version +
                    " had built in and this version has not; decompress with that one, or " + way_out);
  }
  return NotFound(wanted + ", which is not here; " + way_out);
}

std::optional<std::string> ModelFinder::SearchFolders(const std::string& name,
                                                      const std::string& fingerprint) {
  const std::vector<ModelFile> files = ModelFiles();
  // Those of that name first: one of them is most likely it, and reading the others may take long.
  for (const bool likely : {true, false}) {
    for (const ModelFile& file : files) {
      if ((file.name == name || file.name.ends_with("/" + name)) != likely) continue;
      const Result<std::string> found = ReadModelFingerprint(file.path);
      if (!found.ok()) {
        console_.Detail(found.status().message());
      } else if (found->starts_with(fingerprint)) {
        return file.path;
      }
    }
  }
  return std::nullopt;
}

}  // namespace pith::cli
