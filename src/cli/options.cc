#include "cli/options.h"

#include <array>

#include "base/check.h"

namespace pith::cli {
namespace {

constexpr uint32_t Bit(CommandId id) { return uint32_t{1} << static_cast<uint32_t>(id); }
constexpr uint32_t kC = Bit(CommandId::kCompress);
constexpr uint32_t kD = Bit(CommandId::kDecompress);
constexpr uint32_t kT = Bit(CommandId::kTest);
constexpr uint32_t kL = Bit(CommandId::kList);
constexpr uint32_t kE = Bit(CommandId::kEval);
constexpr uint32_t kR = Bit(CommandId::kTrain);
constexpr uint32_t kI = Bit(CommandId::kImport);
constexpr uint32_t kV = Bit(CommandId::kConvert);
constexpr uint32_t kS = Bit(CommandId::kInspect);
constexpr uint32_t kN = Bit(CommandId::kRun);
constexpr uint32_t kP = Bit(CommandId::kPull);
constexpr uint32_t kM = Bit(CommandId::kModels);
constexpr uint32_t kB = Bit(CommandId::kBench);
constexpr uint32_t kH = Bit(CommandId::kHelp);
constexpr uint32_t kAll = (uint32_t{1} << kNCommands) - 1;

constexpr Example kCompressExamples[] = {
    {"pith compress -r --verify --rm logs", "every file in the folder logs"},
};
constexpr Example kDecompressExamples[] = {
    {"pith decompress report.txt.pith", "makes report.txt"},
    {"pith -d report.txt.pith -o copy.txt", "under another name"},
    {"pith -dc big.log.pith | grep error", "in a pipe"},
};
constexpr Example kTestExamples[] = {
    {"pith test *.pith", "every archive here"},
    {"pith -t -q backup.pith && echo good", "in a script"},
};
constexpr Example kListExamples[] = {
    {"pith list report.txt.pith", "all that it says of itself"},
    {"pith list *.pith", "a table"},
    {"pith list --json *.pith", "for programs"},
};
constexpr Example kEvalExamples[] = {
    {"pith eval builtin report.txt", "bits a byte under the model"},
    {"pith eval small.pmodel --json *.txt", "for programs"},
    {"pith eval builtin --ids ids.json --logits out.npy", ""},
};
constexpr Example kTrainExamples[] = {
    {"pith train -r tickets/2025 -o tickets.dict", "from files of one kind"},
    {"pith -D tickets.dict tickets/2026/*.json", "compress with it"},
    {"pith -d -D tickets.dict 7.json.pith", "and back"},
};
constexpr Example kImportExamples[] = {
    {"pith import ./Qwen3-0.6B -o qwen3.pmodel", ""},
    {"pith compress --model qwen3.pmodel report.txt", "uses it"},
};
constexpr Example kConvertExamples[] = {
    {"pith convert ./Qwen3-0.6B", "makes Qwen3-0.6B.litertlm"},
    {"pith convert ./Qwen3-0.6B -o qwen3.gguf", "for llama.cpp"},
    {"pith run Qwen3-0.6B.litertlm", "so does litert-lm run"},
};
constexpr Example kInspectExamples[] = {
    {"pith inspect Qwen3-0.6B.litertlm", "what is in it"},
    {"pith inspect --json model.gguf | jq .fields", "for programs"},
};
constexpr Example kRunExamples[] = {
    {"pith run Qwen/Qwen3-0.6B", "a chat; /help says what it understands"},
    {"git diff | pith run qwen.litertlm --prompt \"Write a commit message\"", ""},
    {"pith run builtin --raw --prompt \"Once upon a time\" --max-tokens 48", ""},
};
constexpr Example kPullExamples[] = {
    {"pith pull Qwen/Qwen3-0.6B", "fetches and converts it"},
    {"pith compress --model Qwen3-0.6B report.txt", "uses it"},
    {"pith pull litert-community/Qwen3-0.6B", "takes its .litertlm file"},
};
constexpr Example kModelsExamples[] = {
    {"pith models", "a table"},
    {"pith models path Qwen/Qwen3-0.6B", "for scripts"},
    {"pith models rm Qwen/Qwen3-0.6B --cache", "all of it"},
};
constexpr Example kBenchExamples[] = {
    {"pith bench ~/corpus --codecs pith,zstd:19,xz:9e", "without --codecs all"},
};
constexpr Example kCompletionExamples[] = {
    {"pith completion bash >~/.local/share/bash-completion/completions/pith", ""},
    {"pith completion fish >~/.config/fish/completions/pith.fish", ""},
};
constexpr Example kHelpExamples[] = {
    {"pith help compress", "the same as pith compress --help"},
};

constexpr CommandSpec kCommands[] = {
    {CommandId::kCompress, "compress", 'z', "compress", "[OPTION]... [FILE]...",
     "make FILE.pith of each FILE (also without any command)",
     "Compresses each FILE to FILE.pith and keeps FILE. Without FILE, or where FILE\n"
     "is -, reads standard input and writes standard output.",
     "The archive keeps the file's name and modification time (small ones only with --names), a checksum of its "
     "content, and the name and fingerprint of the model. It is the same for every number of threads and on every machine. Parts that "
     "a model would not make smaller, such as images or data that is compressed already, are stored by zstd "
     "or as they are.\n"
     "The target appears under its final name only when it is complete and on disk.",
     "file", kCompressExamples},
    {CommandId::kDecompress, "decompress", 'd', "decompress", "[OPTION]... [FILE.pith]...",
     "get the content of each FILE.pith back",
     "Writes the content of each FILE.pith to FILE and keeps FILE.pith. Without\n"
     "FILE.pith, or where it is -, reads standard input, writes standard output.",
     "Every byte is checked against the checksum that the archive keeps, before the target gets its final "
     "name. The modification time comes from the archive, or the archive file where it holds none, the permissions from the archive file. Several "
     "archives one after another in one file give their contents one after another.",
     "archive", kDecompressExamples},
    {CommandId::kTest, "test", 't', "test", "[OPTION]... [FILE.pith]...",
     "decode archives to nowhere and verify them",
     "Decodes each FILE.pith, compares the checksums, and writes nothing. Without\n"
     "FILE.pith, or where it is -, reads standard input.",
     "", "archive", kTestExamples},
    {CommandId::kList, "list", 'l', "list", "[OPTION]... FILE.pith...",
     "show sizes, ratio, model and checksum of archives",
     "Shows what each FILE.pith says of itself. Loads no model and decodes nothing.",
     "One file is shown with all that it says of itself, several as a table, unless -v asks for all. Sizes "
     "are in bytes, the ratio is archive to original. An archive that is damaged where it can be seen "
     "without decoding is an error.",
     "archive", kListExamples},
    {CommandId::kEval, "eval", 0, "", "[OPTION]... MODEL [FILE]...",
     "measure how well a model predicts files",
     "Prints the code length that MODEL gives each FILE, without writing an archive:\n"
     "what compress --plain would need, apart from headers and blocks by zstd.\n"
     "MODEL is a model file or \"builtin\". With --ids and --logits, writes the model's\n"
     "logits for a list of token ids instead.",
     "IDS.json is one JSON list of numbers. The output is a NumPy file: version 1.0, type <f4, C order, "
     "shape [number of ids, vocabulary]; row i is what the model says after ids 0 to i, as one stream, in "
     "which each token sees all earlier ones unless --window says otherwise.",
     "model", kEvalExamples},
    {CommandId::kTrain, "train", 0, "", "[OPTION]... FILE... -o DICTIONARY",
     "make a dictionary for many small files of one kind",
     "Chooses from the FILEs the text that most of them have parts of. With -D, small\n"
     "files of the same kind then become much smaller. Archives made with a\n"
     "dictionary cannot be read without it.",
     "A dictionary serves every model. It helps where files are small, up to some tens of kilobytes, and alike: "
     "records, messages, pages of one site. Keep it as you keep the archives: an archive names it by the checksum of "
     "its text, and nothing else will do.",
     "file", kTrainExamples},
    {CommandId::kImport, "import", 0, "", "[OPTION]... CHECKPOINT_DIR -o FILE.pmodel",
     "make a model file from a Hugging Face checkpoint",
     "Reads config.json, tokenizer.json and *.safetensors of a checkpoint folder,\n"
     "quantises the weights to 8 bits, chooses the precision of the activations\n"
     "by measuring, and writes one model file.",
     "Where the activations of a matrix have outliers, one 8-bit number for each value loses too much, and "
     "two are used; that costs a second product. \"fast\" uses one everywhere, \"precise\" two, \"auto\" "
     "decides for each matrix by the loss on a calibration text. The choice is part of the model and of its "
     "fingerprint. With -v the whole table of what was tried is shown.",
     "folder", kImportExamples},
    {CommandId::kConvert, "convert", 0, "", "[OPTION]... CHECKPOINT_DIR [-o FILE]",
     "make .litertlm, GGUF or ONNX from a checkpoint",
     "Reads a Hugging Face checkpoint folder of a Qwen3 model, or its name in the\n"
     "Hugging Face cache, and writes one file that other runtimes load.",
     "The ending of the output's name says the format: .litertlm for LiteRT-LM and pith itself, .gguf for llama.cpp, .onnx for "
     "onnxruntime and transformers.js (tensors then lie in FILE_data). Weights are streamed, so that memory stays small; the "
     "same checkpoint gives the same bytes, with the time of SOURCE_DATE_EPOCH if that is set. Encodings of .litertlm: dynamic_int8 "
     "(the default), fp16, none, weight_only_int8, dynamic_int4_block32, dynamic_int4_block128; of GGUF: q8_0 (the default), f16, "
     "q4_0; of ONNX: int8 (the default), none, fp16, int4.",
     "folder", kConvertExamples},
    {CommandId::kInspect, "inspect", 0, "", "[OPTION]... FILE...",
     "show what a model file holds",
     "Shows header, metadata, sections, signatures and tensors of a .litertlm file;\n"
     "also of .tflite, GGUF, ONNX and .pmodel. With -v, all tensors and the template.",
     "The kind of file is found by its first bytes. A damaged file is an error that says where.",
     "file", kInspectExamples},
    {CommandId::kRun, "run", 0, "", "[OPTION]... MODEL",
     "chat with a model, or let it continue text",
     "Answers --prompt, --prompt-file and standard input; without any of them it is a\n"
     "conversation. MODEL is a file, a name such as Qwen/Qwen3-0.6B, or \"builtin\".",
     "The prompt is what --prompt, --prompt-file and standard input say, one below the other. The same conversation, options and seed give the same words on every machine. Text in a prompt is text: <|im_start|> there "
     "is no markup, unless --raw says so. Thoughts of models that think are shown dimly on a terminal and nowhere else; with "
     "--think they go to standard error where standard output is no terminal. Ctrl-C stops an answer, Ctrl-D ends the "
     "conversation. Lines typed are kept in ~/.local/state/pith/history; PITH_HISTORY names another file, or none if it is empty.\n"
     "With --json each line of the output is an object: {\"type\": \"text\", \"thinking\" or \"tool_call\", \"text\", \"tokens\"}, and at the end "
     "one of type \"end\" with counts, times and the seed.",
     "model", kRunExamples},
    {CommandId::kPull, "pull", 0, "", "[OPTION]... ORG/NAME[@REVISION]",
     "fetch a model from the Hugging Face hub",
     "Fetches what is needed of a model into the Hugging Face cache, where other\n"
     "programs find it, too, and converts it once to a .litertlm file in the model\n"
     "folder. Then its name stands for it. An interrupted pull goes on where it was;\n"
     "what is there already is not fetched again.",
     "Of a checkpoint in safetensors, weights, configuration and tokenizer are fetched; of a repository that holds .litertlm or "
     ".gguf files instead, one of those, which stays in the cache as it is. SHA-256 of large files and git's SHA-1 of small ones "
     "are checked. A second pull of the same model waits for the first. The token for private and gated models comes from "
     "HF_TOKEN or the file $HF_HOME/token, and goes to the hub alone.",
     "", kPullExamples},
    {CommandId::kModels, "models", 0, "", "[OPTION]... [rm NAME | path NAME]",
     "list the models on this machine, remove one",
     "Lists the built-in model, those in the model folders, and those in the Hugging\n"
     "Face cache, and how to use each. rm removes the file that pith has made, path\n"
     "prints where a model lies.",
     "rm keeps the copy in the Hugging Face cache, which other programs use, too, unless --cache is given; and removes nothing "
     "where a name could mean several models.",
     "models", kModelsExamples},
    {CommandId::kBench, "bench", 0, "", "[OPTION]... FILE|FOLDER...",
     "measure pith and other compressors on files",
     "Compresses and decompresses each FILE by each codec, compares what comes back,\n"
     "and writes index.html and results.json into the folder pith-bench (-o FOLDER).",
     "A codec is pith, pith:LEVEL, pith:model=FILE_OR_NAME (with \",plain\" or \",best-of\" behind it, if wanted), zstd:1 to "
     "zstd:22, zstd:22long, gzip:1 to gzip:9, bzip2:1 to bzip2:9, xz:0 to xz:9, xz:9e, brotli:0 to brotli:11, all by their "
     "libraries and, pith excepted, with one thread; or any program, by --codec. Without --codecs and --codec, every level of "
     "pith that differs from the others, zstd:3, zstd:19, zstd:22long, gzip:9, bzip2:9, xz:9e and brotli:11.\n"
     "Times are those of whole processes. A codec that fails, hangs, writes too much or gives other bytes back is reported in its "
     "row, the rest goes on, and the exit code is 1. Ctrl-C writes what is measured so far. Temporary files lie in TMPDIR. "
     "docs/results_format.md describes results.json.",
     "file", kBenchExamples},
    {CommandId::kCompletion, "completion", 0, "", "bash|zsh|fish", "print a completion script for a shell",
     "Prints the script that lets a shell complete pith's commands and options.", "", "shell",
     kCompletionExamples},
    {CommandId::kHelp, "help", 0, "", "[COMMAND]", "show help for a command",
     "Shows help for pith or for one of its commands.", "", "command", kHelpExamples},
    {CommandId::kVersion,
     "version",
     0,
     "",
     "",
     "show versions, built-in model and instruction set",
     "Shows the version of the program, of the archive format and of the arithmetic,\n"
     "the built-in model and its fingerprint, and the instruction set in use.",
     "Archives decode with every version of the program that knows their format and arithmetic.",
     "",
     {}},
};
static_assert(std::size(kCommands) == kNCommands);

// In the order of the help screens.
constexpr OptionSpec kOptions[] = {
    {OptionId::kOutput, 'o', "output", ValueKind::kFile, "FILE", "", kC | kD | kI | kR | kV | kB,
     "write to FILE (takes one input; bench: a folder)", "For compress and decompress, \"-\" is standard output."},
    {OptionId::kStdout, 'c', "stdout", ValueKind::kNone, "", "", kC | kD, "write to standard output",
     "Several inputs are written one after another."},
    {OptionId::kForce, 'f', "force", ValueKind::kNone, "", "", kC | kD | kE | kI | kR | kV | kP | kB,
     "overwrite, and take what is refused otherwise",
     "Replaces an existing target (pull: converts again), follows symbolic links, reads special files, compresses what is an "
     "archive already, writes archives to a terminal."},
    {OptionId::kKeep, 'k', "keep", ValueKind::kNone, "", "", kC | kD, "keep the source (the default)", ""},
    {OptionId::kRemove, 0, "rm", ValueKind::kNone, "", "", kC | kD,
     "remove the source when its target is on disk", "The target has to be a file: not standard output, a pipe or a device."},
    {OptionId::kVerify, 0, "verify", ValueKind::kNone, "", "", kC,
     "decode and compare before the archive gets its name",
     "The archive is decoded as written and compared with the checksum of what was read; costs as much time "
     "again."},
    {OptionId::kRecursive, 'r', "recursive", ValueKind::kNone, "", "", kC | kD | kT | kL | kR,
     "take the files in folders, too",
     "compress leaves out *.pith and other archives, the others take only *.pith. Links inside folders are not followed."},
    {OptionId::kModel, 0, "model", ValueKind::kModel, "MODEL", "", kC | kD | kT | kB,
     "model file or name, or \"builtin\"",
     "Default for compress: builtin. When decoding, the built-in model is used where it fits; else this "
     "one; without this option the model folders are searched for the fingerprint. A name such as "
     "Qwen/Qwen3-0.6B or Qwen3-0.6B means a file in a model folder, made by pull, or a model file in the Hugging Face cache."},
    {OptionId::kDictionary, 'D', "dictionary", ValueKind::kFile, "FILE", "", kC | kD | kT,
     "use a dictionary that pith train has made",
     "For small files of one kind. Where archives were made with one, it must be given to read them."},
    {OptionId::kMemory, 0, "memory", ValueKind::kSize, "SIZE", "", kC | kD | kT,
     "use at most SIZE of memory, e.g. 512M",
     "For weights, cache and buffers; compress chooses fewer streams to keep to it, so that decoding needs "
     "no more; decoding fails at once when the archive needs more."},
    {OptionId::kStreams, 0, "streams", ValueKind::kCount, "N", "", kC | kE,
     "streams that decode side by side: faster, larger",
     "Default: chosen from the size of the input and --memory; written into the archive."},
    {OptionId::kBlock, 0, "block", ValueKind::kSize, "SIZE", "", kC, "content of a block, e.g. 4M", ""},
    {OptionId::kWindow, 0, "window", ValueKind::kCount, "N", "", kC | kE,
     "tokens that the model looks back on", ""},
    {OptionId::kPlain, 0, "plain", ValueKind::kNone, "", "", kC, "by the model alone: faster, larger",
     "Codes with the model alone, without what pith learns from the file itself: faster, larger, and about 50 "
     "MiB less memory in both directions."},
    {OptionId::kNames, 'N', "names", ValueKind::kNone, "", "", kC,
     "keep name and time inside small archives, too",
     "An archive of up to 128 KiB of code is short: it leaves both to the archive file, whose name and time say "
     "them, and is some 90 bytes smaller."},
    {OptionId::kSize, 0, "size", ValueKind::kSize, "SIZE", "", kR, "bytes of the dictionary; 48K is the default",
     "At most 1M. Larger ones take longer to start with: 48K takes half a second."},
    {OptionId::kLevel, 0, "level", ValueKind::kCount, "N", "", kC, "-1 (fast) to -9 (small); 6 is the default",
     "1 to 3 use no model, neither to compress nor to decompress: 1 is fast, 2 is smaller, 3 smaller still, above all tables and logs. 4 and 5 use the small built-in "
     "model (nano), from 6 on it is the large one (mini); 4 and 6 take contexts for text that looks like data, 5, 7 and 8 try both for "
     "every block. 9 does so with the largest model in the model folders, if one is larger than mini. The README shows what each gives."},
    {OptionId::kBestOf, 0, "best-of", ValueKind::kNone, "", "", kC, "try model and contexts for every block (as -7 does)", ""},
    {OptionId::kIds, 0, "ids", ValueKind::kFile, "IDS.json", "", kE, "token ids: one JSON list of numbers",
     ""},
    {OptionId::kLogits, 0, "logits", ValueKind::kFile, "OUT.npy", "", kE, "where the logits of --ids go", ""},
    {OptionId::kQuantize, 0, "quantize", ValueKind::kText, "ENCODING", "", kV,
     "how matrices are stored: dynamic_int8, fp16 ..", "The encodings of each format stand above."},
    {OptionId::kFormat, 0, "format", ValueKind::kChoice, "FORMAT", "litertlm gguf onnx", kV,
     "litertlm, gguf or onnx; else by FILE's ending", ""},
    {OptionId::kCacheLength, 0, "kv-cache-max-len", ValueKind::kCount, "N", "", kV,
     "tokens that a conversation holds (1280)", "For .litertlm, whose graphs have a fixed length."},
    {OptionId::kPrefill, 0, "prefill", ValueKind::kText, "N,N,..", "", kV,
     "lengths that prompts are cut into", "For .litertlm. Default: 8,64,128,256,512,1024, up to --kv-cache-max-len."},
    {OptionId::kMetadata, 0, "metadata", ValueKind::kChoice, "STYLE", "qwen3 generic", kV,
     "qwen3 (tools, thinking) or generic", "For .litertlm. generic is what litert-lm-cli writes."},
    {OptionId::kSystem, 0, "system", ValueKind::kText, "TEXT", "", kV | kN, "system message of the chat",
     "In a .litertlm file: of chats that bring none."},
    {OptionId::kStop, 0, "stop", ValueKind::kText, "TEXT", "", kV | kN, "one more text that ends an answer",
     "May be given several times. convert: for .litertlm."},
    {OptionId::kGreedy, 0, "greedy", ValueKind::kNone, "", "", kV | kN, "always the likeliest token", "The same as --temperature 0. convert: for .litertlm."},
    {OptionId::kTemperature, 0, "temperature", ValueKind::kText, "X", "", kV | kN, "of sampling",
     "convert: for .litertlm, as --top-p, --top-k and --seed; what is not given comes from generation_config.json. run: what is not "
     "given comes from the model's file."},
    {OptionId::kTopP, 0, "top-p", ValueKind::kText, "X", "", kV | kN, "of sampling", ""},
    {OptionId::kTopK, 0, "top-k", ValueKind::kCount, "N", "", kV | kN, "of sampling", ""},
    {OptionId::kSeed, 0, "seed", ValueKind::kCount, "N", "", kV | kN, "the same seed, the same words",
     "run: where neither this nor the model's file gives one, a random one is taken; --stats shows it."},
    {OptionId::kReport, 0, "report", ValueKind::kNone, "", "", kV | kB, "each tensor, its error; bench: the page again",
     "bench: the page again, from the results.json that is given; index.html is written beside it, or into the folder of -o. error: root mean square of what rounding changed, over that of the weights. outlier: the largest weight over the root "
     "mean square; above about 30 a row's steps are coarse for the rest of it."},
    {OptionId::kName, 0, "name", ValueKind::kText, "NAME", "", kI | kV, "the model's name; else the folder's", ""},
    {OptionId::kActivations, 0, "activations", ValueKind::kChoice, "HOW", "fast auto precise", kI | kV | kP,
     "of pith's engine: fast, auto or precise",
     "Default: auto for import and pull, precise for convert, where measuring would take longer than all the rest. With int8 or int4 in "
     "ONNX, fast lets onnxruntime round activations, too: faster on CPUs, about twice the loss."},
    {OptionId::kCalibration, 0, "calibration", ValueKind::kFile, "FILE", "", kI,
     "text to measure with; else a built-in one", ""},
    {OptionId::kPrompt, 'p', "prompt", ValueKind::kText, "TEXT", "", kN, "answer TEXT and end", ""},
    {OptionId::kPromptFile, 0, "prompt-file", ValueKind::kFile, "FILE", "", kN, "answer what FILE says", "Below --prompt, if that is given, too."},
    {OptionId::kMaxTokens, 'n', "max-tokens", ValueKind::kCount, "N", "", kN, "tokens of an answer at most",
     "Thoughts count. Default: what fits into the context."},
    {OptionId::kThink, 0, "think", ValueKind::kNone, "", "", kN, "let the model think, and show it", ""},
    {OptionId::kNoThink, 0, "no-think", ValueKind::kNone, "", "", kN, "answer at once, without thoughts", ""},
    {OptionId::kHideThinking, 0, "hide-thinking", ValueKind::kNone, "", "", kN, "let it think, but do not show it", ""},
    {OptionId::kRaw, 0, "raw", ValueKind::kNone, "", "", kN, "no turns: continue the text as it is",
     "Markup such as <|im_start|> then counts."},
    {OptionId::kTools, 0, "tools", ValueKind::kFile, "FILE", "", kN, "JSON list of functions that it may call",
     "Entries are {\"type\": \"function\", \"function\": {\"name\", \"description\", \"parameters\"}}. A call is printed as one line of JSON."},
    {OptionId::kJsonSchema, 0, "json-schema", ValueKind::kFile, "FILE", "", kN, "the answer is JSON of this schema",
     "Thoughts are off then, unless --think."},
    {OptionId::kGrammar, 0, "grammar", ValueKind::kFile, "FILE", "", kN, "the answer keeps to this grammar (GBNF)", ""},
    {OptionId::kStats, 0, "stats", ValueKind::kNone, "", "", kN, "show tokens, times and the seed", ""},
    {OptionId::kMinP, 0, "min-p", ValueKind::kText, "X", "", kN, "of sampling: at least X times the likeliest's probability", ""},
    {OptionId::kRepetitionPenalty, 0, "repetition-penalty", ValueKind::kText, "X", "", kN, "of sampling: of what was said or asked", ""},
    {OptionId::kPresencePenalty, 0, "presence-penalty", ValueKind::kText, "X", "", kN, "of sampling: of what the answer has", ""},
    {OptionId::kFrequencyPenalty, 0, "frequency-penalty", ValueKind::kText, "X", "", kN, "of sampling: each time the answer has it", ""},
    {OptionId::kContext, 0, "context", ValueKind::kCount, "N", "", kN, "tokens that the model sees",
     "Default: 8192, or what the model was trained with if that is less. Where a conversation grows beyond it, the oldest turns are "
     "dropped, with a message; an answer that reaches its end stops there."},
    {OptionId::kChatTemplate, 0, "chat-template", ValueKind::kFile, "FILE", "", kN, "Jinja in place of the model's own", ""},
    {OptionId::kNoDraft, 0, "no-draft", ValueKind::kNone, "", "", kN, "do not guess ahead",
     "Guesses from the text so far are checked several at once; the words are the same with and without."},
    {OptionId::kRevision, 0, "revision", ValueKind::kText, "REVISION", "", kP, "a branch, tag or commit; else main",
     "The same as @REVISION after the name, and part of the name that the converted model then has."},
    {OptionId::kFile, 0, "file", ValueKind::kText, "NAME", "", kP, "that file of the repository, and no other", ""},
    {OptionId::kOffline, 0, "offline", ValueKind::kNone, "", "", kP, "fetch nothing: use what is in the cache",
     "As HF_HUB_OFFLINE=1."},
    {OptionId::kNoConvert, 0, "no-convert", ValueKind::kNone, "", "", kP, "fetch only", ""},
    {OptionId::kCache, 0, "cache", ValueKind::kNone, "", "", kM, "rm: the copy in the Hugging Face cache, too", ""},
    {OptionId::kCodecs, 0, "codecs", ValueKind::kText, "LIST", "", kB, "only these: pith:7,zstd:19,xz:9e ..",
     "May be given several times."},
    {OptionId::kCodec, 0, "codec", ValueKind::kText, "NAME=CMD|CMD", "", kB, "commands that compress and decompress",
     "May be given several times; joins the codecs of --codecs, or the usual ones. {input} and {output} stand for the files; a "
     "command without them reads standard input or writes standard output. Both run by sh; the first bar ends the first, so a "
     "pipe in it has to go into a script."},
    {OptionId::kRepeat, 0, "repeat", ValueKind::kCount, "N", "", kB, "measure N times (3): median, least and most", ""},
    {OptionId::kWarmup, 0, "warmup", ValueKind::kCount, "N", "", kB, "",
     "Runs before the first that counts. Default: 1, which counts after all where it took a second or more."},
    {OptionId::kSlice, 0, "slice", ValueKind::kText, "SIZE,..", "", kB, "pieces of larger files, too: 4K,64K,1M",
     "Each piece is contiguous, from the middle of its file."},
    {OptionId::kTimeout, 0, "timeout", ValueKind::kText, "SECONDS", "", kB, "", "Of one run; then it is killed. 3600 is the default."},
    {OptionId::kCorpus, 0, "corpus", ValueKind::kChoice, "NAME", "canterbury calgary silesia enwik8 text8", kB,
     "a well-known one, fetched once: canterbury ..",
     "One of canterbury, calgary, silesia, enwik8 and text8, instead of files. Kept in PITH_CORPORA, else in pith/corpora in the "
     "cache folder; PITH_CORPUS_MIRROR, a folder or an address, is asked first."},
    {OptionId::kCompare, 0, "compare", ValueKind::kNone, "", "", kB, "A.json B.json: what changed, and what is noise",
     "The exit code is 1 where a row that was right before fails now."},
    {OptionId::kEngine, 0, "engine", ValueKind::kNone, "", "", kB, "speed of the model itself, beside the machine's",
     "Tokens a second of the built-in model or of --model, in prefill and decoding, with one thread and all, and the share of "
     "what this machine can do at most."},
    {OptionId::kPeers, 0, "peers", ValueKind::kFile, "FILE", "", kB, "",
     "With --engine: speeds of other engines, a JSON object a line with engine, type, threads, prefill_all_logits, "
     "prefill_last_logits, prefill_no_logits, decode, decode_16_streams."},
    {OptionId::kTerminal, 0, "terminal", ValueKind::kNone, "", "", kB, "the whole report here, with bars", ""},
    {OptionId::kThreads, 'T', "threads", ValueKind::kCount, "N", "", kC | kD | kT | kE | kI | kV | kP | kN | kB,
     "use N threads; 0 = all, the default", "The result does not depend on it. At levels 1 to 3, and where what they make is decoded, each block of 16 MB "
     "takes a thread, as far as --memory, or 1 GB, has room. bench: of pith; the other codecs have one."},
    {OptionId::kJson, 0, "json", ValueKind::kNone, "", "", kL | kE | kS | kM | kN | kB,
     "print JSON", "One list with an object for each; of run an object a line; of bench what results.json holds."},
    {OptionId::kMan, 0, "man", ValueKind::kNone, "", "", kH, "print the manual page (roff)", ""},
    {OptionId::kQuiet, 'q', "quiet", ValueKind::kNone, "", "", kAll, "say nothing but errors", ""},
    {OptionId::kVerbose, 'v', "verbose", ValueKind::kNone, "", "", kAll, "say more", ""},
    {OptionId::kHelp, 'h', "help", ValueKind::kNone, "", "", kAll, "", "Shows help and ends."},
    {OptionId::kVersion, 'V', "version", ValueKind::kNone, "", "", kAll, "", "Shows the versions and ends."},
};

}  // namespace

std::span<const CommandSpec> Commands() { return kCommands; }
std::span<const OptionSpec> Options() { return kOptions; }

const CommandSpec& Command(CommandId id) {
  const CommandSpec& spec = kCommands[static_cast<size_t>(id)];
  PITH_CHECK(spec.id == id);
  return spec;
}

const CommandSpec* FindCommand(std::string_view name) {
  for (const CommandSpec& spec : kCommands) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace pith::cli
