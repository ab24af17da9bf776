// pith inspect
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxShown = 100;  // bytes of a value without -v

std::string Line(const std::string& name, const std::string& value) {
  char text[64];
  std::snprintf(text, sizeof text, "  %-20s ", name.c_str());
  return text + value + "\n";
}

// One line of printable text: line ends as \n.
std::string OneLine(const std::string& value, bool whole) {
  std::string text;
  for (const char c : value) text += c == '\n' ? std::string("\\n") : std::string(1, c);
  if (!whole && text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "... (-v shows all)";
  return Printable(text);
}

std::string Columns(const InspectedTensor& t) {
  std::string type = t.type + (t.quantization.empty() ? "" : ", " + t.quantization);
  char text[128];
  std::snprintf(text, sizeof text, "  %12llu  %-22s ", static_cast<unsigned long long>(t.bytes), type.c_str());
  return text + t.shape + "  " + Printable(t.name) + "\n";
}

std::string SignatureText(const InspectedSignature& s, bool whole) {
  const auto list = [&](const std::vector<InspectedValue>& values) {
    std::string text;
    size_t n_cache = 0;
    for (const InspectedValue& v : values) {
      // A layer's cache has the shape of all the others.
      if (!whole && v.name.starts_with("kv_cache_") && !v.name.ends_with("_0")) {
        ++n_cache;
        continue;
      }
      text += "      " + v.type + " " + v.shape + "  " + Printable(v.name) + "\n";
    }
    if (n_cache > 0) text += "      and " + std::to_string(n_cache) + " more of the cache\n";
    return text;
  };
  return "    " + Printable(s.name) + "\n     in\n" + list(s.inputs) + "     out\n" + list(s.outputs);
}

std::string Text(const std::string& file, const InspectedModel& m, const Console& console) {
  const bool whole = console.verbose();
  std::string text = console.Bold(Printable(file)) + "\n";
  text += Line("format", m.format);
  text += Line("size", std::to_string(m.file_bytes) + " bytes");
  for (const InspectedField& f : m.fields) text += Line(Printable(f.name), OneLine(f.value, whole));
  if (!m.not_loadable.empty()) text += Line("pith cannot run it", Printable(m.not_loadable));
  if (!m.sections.empty()) {
    text += "\n  sections: first byte, bytes, kind\n";
    for (const InspectedSection& s : m.sections) {
      char numbers[64];
      std::snprintf(numbers, sizeof numbers, "  %12llu  %12llu  ", static_cast<unsigned long long>(s.begin),
                    static_cast<unsigned long long>(s.end - s.begin));
      text += numbers + s.type;
      for (const InspectedField& item : s.items) text += ", " + Printable(item.name) + " " + OneLine(item.value, whole);
      text += "\n";
    }
  }
  if (!m.signatures.empty()) {
    text += "\n  signatures\n";
    // Those of prefill differ by a length only: one is shown, the others named.
    std::string others;
    bool prefill_shown = false;
    for (const InspectedSignature& s : m.signatures) {
      const bool prefill = s.name.starts_with("prefill");
      if (whole || !prefill || !prefill_shown) {
        text += SignatureText(s, whole);
      } else {
        others += (others.empty() ? "" : ", ") + s.name;
      }
      prefill_shown = prefill_shown || prefill;
    }
    if (!others.empty()) text += "    likewise " + Printable(others) + "\n";
  }
  if (!m.operators.empty()) {
    text += "\n  operators\n   ";
    for (const InspectedOperator& o : m.operators) text += " " + o.name + " x " + std::to_string(o.count) + ",";
    text.back() = '\n';
  }
  std::map<std::string, std::pair<uint64_t, uint64_t>> totals;
  for (const InspectedTensor& t : m.tensors) {
    auto& [count, bytes] = totals[t.type + (t.quantization.empty() ? "" : ", " + t.quantization)];
    ++count;
    bytes += t.bytes;
  }
  text += "\n  tensors: bytes, encoding\n";
  if (whole) {
    for (const InspectedTensor& t : m.tensors) text += Columns(t);
    text += "  in all\n";
  }
  for (const auto& [type, total] : totals) {
    char line[128];
    std::snprintf(line, sizeof line, "  %12llu  %s", static_cast<unsigned long long>(total.second), type.c_str());
    text += line + std::string(" (") + Plural(total.first, "tensor") + ")\n";
  }
  return text;
}

Json ToJson(const std::string& file, const InspectedModel& m) {
  Json json;
  json["file"] = file;
  json["format"] = m.format;
  json["bytes"] = m.file_bytes;
  json["loadable"] = m.not_loadable.empty();
  if (!m.not_loadable.empty()) json["why_not"] = m.not_loadable;
  const auto fields = [](const std::vector<InspectedField>& list) {
    Json out = Json::array();
    for (const InspectedField& f : list) out.push_back({{"name", f.name}, {"value", f.value}});
    return out;
  };
  json["fields"] = fields(m.fields);
  json["sections"] = Json::array();
  for (const InspectedSection& s : m.sections) {
    json["sections"].push_back({{"type", s.type}, {"begin", s.begin}, {"end", s.end}, {"items", fields(s.items)}});
  }
  json["signatures"] = Json::array();
  for (const InspectedSignature& s : m.signatures) {
    const auto values = [](const std::vector<InspectedValue>& list) {
      Json out = Json::array();
      for (const InspectedValue& v : list) out.push_back({{"name", v.name}, {"type", v.type}, {"shape", v.shape}});
      return out;
    };
    json["signatures"].push_back({{"name", s.name}, {"inputs", values(s.inputs)}, {"outputs", values(s.outputs)}});
  }
  json["operators"] = Json::array();
  for (const InspectedOperator& o : m.operators) json["operators"].push_back({{"name", o.name}, {"count", o.count}});
  json["tensors"] = Json::array();
  for (const InspectedTensor& t : m.tensors) {
    json["tensors"].push_back({{"name", t.name}, {"type", t.type}, {"shape", t.shape}, {"quantization", t.quantization},
                               {"bytes", t.bytes}});
  }
  return json;
}

}  // namespace

int RunInspect(const Arguments& arguments, Console& console) {
  Outcome outcome;
  Json list = Json::array();
  bool first = true;
  for (const std::string& file : arguments.operands) {
    const Result<InspectedModel> model = InspectModel(file);
    if (!model.ok()) {
      console.Error(ErrorLine(model.status(), file, ""));
      outcome.Failed();
      continue;
    }
    if (arguments.json) {
      list.push_back(ToJson(file, *model));
      continue;
    }
    if (!PrintOut(console, (first ? "" : "\n") + Text(file, *model, console))) return kExitFailed;
    first = false;
  }
  // Bytes that are no UTF-8 come out as U+FFFD.
  if (arguments.json &&
      !PrintOut(console, list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n")) {
    return kExitFailed;
  }
  return outcome.ExitCode();
}

}  // namespace pith::cli
