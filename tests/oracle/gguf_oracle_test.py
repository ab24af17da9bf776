"""Checks the GGUF files of `pith convert` against other people's implementations.

    python gguf_oracle_test.py PITH SHARED_DIR [--converter LLAMA_CPP/convert_hf_to_gguf.py [--converter-python PYTHON]]

PITH is called as `PITH convert DIR -o OUT.gguf --quantize f16|q8_0|q4_0 -f`. SHARED_DIR holds golden/models,
golden/text and data/qwen3 (see its golden/README.md). Needs the packages numpy, gguf and llama-cpp-python; checked
with gguf 0.19.0 and llama-cpp-python 0.3.36. With --converter, llama.cpp's own converter writes the same models, and
every key and tensor of that with the real vocabulary is compared; the script needs torch, transformers and
sentencepiece.

 1. Tensors: names, shapes and encodings as planned here, bytes equal to gguf.quants.quantize of the same weights.
 2. Metadata: as derived here from the folder by the rules of llama.cpp's converter.
 3. llama.cpp loads each file; its logits' divergence from float32 is at most 1.1 times that of a file which the gguf
    package wrote from the same weights.
 4. llama.cpp tokenises with the file as the stock tokenizer does without NFC.
 5. Reading: `PITH eval FILE --ids --logits` gives the same bits for a file in each encoding that pith reads, written by
    the gguf package, and for a file of the F32 values that the package says those bytes stand for.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy as np
except ImportError as e:
    print(f"skipped: no module {e.name}")
    sys.exit(77)
try:
    import llama_cpp
except ImportError:  # it has to be compiled: `./dev oracle llama`
    llama_cpp = None

QUANTIZE = {"f16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
            "q4_0": gguf.GGMLQuantizationType.Q4_0}
REAL_VOCABULARY = "qwen3-realvocab-bf16"  # the golden model with which the real tokenizer is tried
FILE_TYPE = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
             "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0}
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
LAYER_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}

failures = []


def check(holds, what):
    if not holds:
        failures.append(what)
        print("FAIL", what)


def read_safetensors(path):
    """Tensors by name; bfloat16 as float32."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    types = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64, "I32": np.int32}
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data, dtype=types[entry["dtype"]], count=(end - begin) // np.dtype(
            types[entry["dtype"]]).itemsize, offset=8 + size + begin).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = values
    return tensors


def read_weights(folder):
    """float32 weights under their GGUF names."""
    tensors = {}
    for path in sorted(folder.glob("model*.safetensors")):
        tensors.update(read_safetensors(path))
    config = json.loads((folder / "config.json").read_text())
    out = {}
    for name, values in tensors.items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        parts = name.removesuffix(".weight").split(".")
        if parts[:2] == ["model", "layers"]:
            new = f"blk.{parts[2]}.{LAYER_NAMES['.'.join(parts[3:])]}.weight"
        else:
            new = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
                   "lm_head.weight": "output.weight"}[name]
        out[new] = values.astype(np.float32)
    return out


def encoding_of(values, quantize):
    if values.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    wanted = QUANTIZE[quantize]
    fits = values.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0
    return wanted if fits else gguf.GGMLQuantizationType.F16


def byte_tokenizer():
    """A tokenizer.json for a model without one: the 256 bytes, one merge, an end token."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    vocab = {letter: i for i, letter in enumerate(letters)} | {"ab": 256}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {"version": "1.0", "normalizer": {"type": "NFC"}, "post_processor": byte_level, "decoder": byte_level,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "added_tokens": [{"id": 257, "content": "<|endoftext|>", "special": True, "normalized": False},
                             {"id": 259, "content": "<think>", "special": False, "normalized": False}],
            "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]]}}


def expected_metadata(folder, quantize, weights):
    """What the file should say, by key. llama.cpp: conversion/base.py, conversion/qwen.py, gguf-py/gguf/vocab.py."""
    config = json.loads((folder / "config.json").read_text())
    generation = json.loads((folder / "generation_config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    path = folder / "tokenizer_config.json"
    tokenizer_config = json.loads(path.read_text()) if path.exists() else {}
    rope_theta = config["rope_theta"] if "rope_theta" in config else config["rope_parameters"]["rope_theta"]
    f32 = lambda v: float(np.float32(v))
    out = {
        "general.architecture": "qwen3", "general.type": "model", "general.name": folder.name,
        "general.size_label": gguf.size_label(sum(w.size for w in weights.values()), 0, 0, 0),
        "general.file_type": int(FILE_TYPE[quantize]), "general.quantization_version": gguf.GGML_QUANT_VERSION,
        "qwen3.block_count": config["num_hidden_layers"], "qwen3.context_length": config["max_position_embeddings"],
        "qwen3.embedding_length": config["hidden_size"], "qwen3.feed_forward_length": config["intermediate_size"],
        "qwen3.attention.head_count": config["num_attention_heads"],
        "qwen3.attention.head_count_kv": config["num_key_value_heads"],
        "qwen3.attention.key_length": config["head_dim"], "qwen3.attention.value_length": config["head_dim"],
        "qwen3.attention.layer_norm_rms_epsilon": f32(config["rms_norm_eps"]),
        "qwen3.rope.freq_base": f32(rope_theta),
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_eos_token": False}
    for key, name in (("top_k", "top_k"), ("top_p", "top_p"), ("temperature", "temp")):
        if generation.get(key) is not None:
            value = generation[key]
            out[f"general.sampling.{name}"] = value if key == "top_k" else f32(value)
    tokens = [f"[PAD{i}]" for i in range(config["vocab_size"])]
    types = [int(gguf.TokenType.UNUSED)] * config["vocab_size"]
    for text, i in tokenizer["model"]["vocab"].items():
        tokens[i], types[i] = text, int(gguf.TokenType.NORMAL)
    added = {t["content"]: t for t in tokenizer["added_tokens"]}
    for text, t in added.items():
        control = t["special"] or (text.startswith("<|") and text.endswith("|>"))
        tokens[t["id"]] = text
        types[t["id"]] = int(gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED)
    out["tokenizer.ggml.tokens"] = tokens
    out["tokenizer.ggml.token_type"] = types
    out["tokenizer.ggml.merges"] = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    for kind, name in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        text = tokenizer_config.get(f"{kind}_token")
        value = generation.get(f"{kind}_token_id", config.get(f"{kind}_token_id"))
        value = value[0] if isinstance(value, list) else value
        value = added[text]["id"] if text in added else value
        if value is not None:
            out[f"tokenizer.ggml.{name}_token_id"] = value
    if "chat_template" in tokenizer_config:
        out["tokenizer.chat_template"] = tokenizer_config["chat_template"]
    return out


def metadata_of(reader):
    return {k: f.contents() for k, f in reader.fields.items() if not k.startswith("GGUF.")}


def compare_metadata(found, expected, what, may_differ=()):
    for key in sorted(found.keys() | expected.keys()):
        if key not in may_differ:
            a, b = found.get(key), expected.get(key)
            check(a == b, f"{what}: {key}: found {str(a)[:80]!r}, expected {str(b)[:80]!r}")


def compare_tensors(reader, weights, quantize, what):
    check({t.name for t in reader.tensors} == set(weights), f"{what}: names of tensors")
    for t in reader.tensors:
        values = weights[t.name]
        encoding = encoding_of(values, quantize)
        check(t.tensor_type == encoding, f"{what}: {t.name}: found {t.tensor_type.name}, expected {encoding.name}")
        check(t.shape.tolist() == list(reversed(values.shape)), f"{what}: {t.name}: shape {t.shape.tolist()}")
        expected = np.ascontiguousarray(gguf.quants.quantize(values, encoding))
        check(t.data.tobytes() == expected.tobytes(), f"{what}: {t.name}: bytes differ")


def write_reference(path, metadata, weights, quantize):
    """The same model written by the gguf package alone."""
    w = gguf.GGUFWriter(path, "qwen3")
    for key, value in metadata.items():
        if key == "general.architecture":
            continue
        kind = gguf.GGUFValueType.get_type(value)
        if kind == gguf.GGUFValueType.INT32 and key != "general.sampling.top_k":
            kind = gguf.GGUFValueType.UINT32
        w.add_key_value(key, value, kind, sub_type=gguf.GGUFValueType.INT32 if key.endswith("token_type") else None)
    for name, values in weights.items():
        encoding = encoding_of(values, quantize)
        w.add_tensor(name, np.ascontiguousarray(gguf.quants.quantize(values, encoding)), raw_dtype=encoding)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def divergence(path, expected):
    """Mean KL of llama.cpp's distributions from those of float32, in nat, over all positions that are known."""
    vocab = expected["logits_0"].shape[-1]
    llm = llama_cpp.Llama(str(path), n_ctx=512 if vocab < 10000 else 64, n_batch=512, n_threads=1, n_threads_batch=1,
                          logits_all=True, verbose=False)
    total = n = 0
    for i in range(5):
        if f"ids_{i}" not in expected:
            continue
        ids, logits = expected[f"ids_{i}"].tolist(), expected[f"logits_{i}"]
        llm.reset()
        llm.eval(ids)
        q = log_softmax(np.array(llm.scores[:len(ids)])[-len(logits):])
        p = log_softmax(logits)
        total += float((np.exp(p) * (p - q)).sum())
        n += len(logits)
    llm.close()
    return total / n


def decode(llm, ids):
    """llama.cpp's bytes of the ids. (Llama.detokenize cannot do tokens of more than 32 bytes.)"""
    import ctypes
    vocab = llama_cpp.llama_model_get_vocab(llm.model)
    buffer = ctypes.create_string_buffer(1024)
    out = b""
    for i in ids:
        n = llama_cpp.llama_token_to_piece(vocab, i, buffer, len(buffer), 0, True)
        out += buffer.raw[:n]
    return out


def compare_tokens(path, strings):
    """With added tokens found in the text, as in the stock tokenizer; and without, as llama.cpp reads a user's text."""
    llm = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    lines = [json.loads(line) for line in strings.read_text().splitlines()]
    n_same = {True: 0, False: 0}
    for line in lines:
        text = line["text"].encode()
        for special in (True, False):
            found = llm.tokenize(text, add_bos=False, special=special) if text else []
            check(decode(llm, found) == text, f"tokens of {line['text'][:40]!r}: decode to something else")
            n_same[special] += found == line["ids"]
            if found != line["ids"]:
                print(f"  {'with' if special else 'without'} added tokens: {line['text'][:60]!r}: llama.cpp "
                      f"{found[:12]}, expected {line['ids'][:12]}")
    llm.close()
    print(f"tokens: {n_same[True]} of {len(lines)} texts as in the stock tokenizer without NFC, "
          f"{n_same[False]} when llama.cpp does not look for control tokens")
    check(n_same[True] == len(lines), "tokens")


def run_converter(options, folder, quantize, out):
    subprocess.run([options.converter_python, "-B", options.converter, folder, "--outtype", quantize, "--outfile",
                    out], check=True, capture_output=True)
    return gguf.GGUFReader(out)


def prepare(source, shared, scratch):
    folder = scratch / source.name
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    if source.name == REAL_VOCABULARY:
        for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            shutil.copyfile(shared / "data/qwen3" / name, folder / name)
    else:
        (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    return folder


def check_model(options, source, scratch):
    folder = prepare(source, options.shared, scratch)
    weights = read_weights(folder)
    expected = read_safetensors(folder / "expected.safetensors")
    for quantize in QUANTIZE:
        what = f"{folder.name} {quantize}"
        out = scratch / "out.gguf"
        subprocess.run([options.pith, "convert", folder, "-o", out, "--quantize", quantize, "-f", "-q"], check=True)
        reader = gguf.GGUFReader(out)
        metadata = expected_metadata(folder, quantize, weights)
        compare_metadata(metadata_of(reader), metadata, what)
        compare_tensors(reader, weights, quantize, what)
        # The converter knows tokenizers by a hash over their tokens, so it takes the real one only; it has no Q4_0.
        if options.converter and quantize != "q4_0" and folder.name == REAL_VOCABULARY:
            other = run_converter(options, folder, quantize, scratch / "converter.gguf")
            # It makes a title of the folder's name and takes it apart, and takes no ids from generation_config.json.
            may_differ = {"general.name", "general.basename", "general.finetune", "general.version",
                          "tokenizer.ggml.bos_token_id"}
            compare_metadata(metadata_of(reader), metadata_of(other), what + " and converter", may_differ)
            theirs = {t.name: (t.tensor_type, t.data.tobytes()) for t in other.tensors}
            check({t.name: (t.tensor_type, t.data.tobytes()) for t in reader.tensors} == theirs,
                  what + " and converter: tensors")
        if llama_cpp is None:
            continue
        write_reference(scratch / "reference.gguf", metadata, weights, quantize)
        found = divergence(out, expected)
        reference = divergence(scratch / "reference.gguf", expected)
        print(f"{what}: KL {found:.3e} nat, the gguf package's file {reference:.3e}")
        check(found <= 1.1 * reference + 1e-9, f"{what}: KL")
    if folder.name == REAL_VOCABULARY and llama_cpp is not None:
        compare_tokens(out, options.shared / "golden/text/strings.jsonl")
    shutil.rmtree(folder)


def hard_values(n, rng):
    """float32: many magnitudes within a block, whole blocks far out, ties, zeros, f16 subnormals; all fit into F16."""
    n_blocks = -(-n // 32)
    blocks = rng.standard_normal((n_blocks, 32)) * 10.0 ** rng.uniform(-3, 1, (n_blocks, 32))
    blocks *= 10.0 ** rng.uniform(-30, 3, (n_blocks, 1)) * (rng.random((n_blocks, 1)) < 0.95)
    ties = rng.integers(-254, 255, (n_blocks, 32)) / 2
    ties[:, 5] = 127 * rng.choice([-1, 1], n_blocks)
    blocks = np.where(rng.random((n_blocks, 1)) < 0.2, ties * 2.0 ** rng.integers(-20, 8, (n_blocks, 1)), blocks)
    return np.clip(blocks, -65504, 65504).astype(np.float32).reshape(-1)[:n]


def check_hard_values(options, source, scratch):
    """The bytes of weights that no trained model has."""
    folder = prepare(source, options.shared, scratch)
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    size = 8 + int.from_bytes(data[:8], "little")
    data[size:] = hard_values((len(data) - size) // 4, np.random.default_rng(1)).tobytes()
    path.write_bytes(data)
    weights = read_weights(folder)
    for quantize in QUANTIZE:
        out = scratch / "hard.gguf"
        subprocess.run([options.pith, "convert", folder, "-o", out, "--quantize", quantize, "-f", "-q"], check=True)
        compare_tensors(gguf.GGUFReader(out), weights, quantize, f"hard values {quantize}")
    print(f"hard values: {sum(w.size for w in weights.values())} weights compared")


T = gguf.GGMLQuantizationType
READ = {T.F16: [0], T.BF16: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2],
        T.Q5_K: [0, 2], T.Q6_K: [208]}  # and where the halves of a block lie that are scales


def write_for_reading(path, tensors):
    """A Qwen3 model of one layer. `tensors`: name -> (data, encoding)."""
    w = gguf.GGUFWriter(path, "qwen3")
    w.add_block_count(1)
    w.add_context_length(100)
    w.add_embedding_length(256)
    w.add_feed_forward_length(512)
    w.add_head_count(2)
    w.add_head_count_kv(1)
    w.add_key_length(128)
    w.add_value_length(128)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-6)
    for name, (data, encoding) in tensors.items():
        w.add_tensor(name, data, raw_dtype=encoding)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def check_reading(options, scratch):
    rng = np.random.default_rng(2)
    shapes = {"token_embd": (50, 256), "blk.0.attn_q": (256, 256), "blk.0.attn_k": (128, 256), "blk.0.attn_v": (128, 256),
              "blk.0.attn_output": (256, 256), "blk.0.ffn_gate": (512, 256), "blk.0.ffn_up": (512, 256),
              "blk.0.ffn_down": (256, 512), "output": (50, 256), "blk.0.attn_norm": (256,), "blk.0.attn_q_norm": (128,),
              "blk.0.attn_k_norm": (128,), "blk.0.ffn_norm": (256,), "output_norm": (256,)}
    (scratch / "ids.json").write_text(json.dumps([1, 7, 49, 0, 23, 23, 5]))
    seen = set()
    for encoding, scales in READ.items():
        values, size = gguf.GGML_QUANT_SIZES[encoding]
        encoded, plain = {}, {}
        for name, shape in shapes.items():
            name += ".weight"
            if len(shape) == 1:
                encoded[name] = plain[name] = (rng.uniform(0.5, 1.5, shape).astype(np.float32), T.F32)
                continue
            data = rng.integers(0, 256, (shape[0], shape[1] // values, size), dtype=np.uint8)
            for at in scales:  # exponents of halves, or of bf16, that keep the values small
                high = data[:, :, at + 1]
                data[:, :, at + 1] = high & 0xbf if values == 1 else high & 0x83 | 0x20
            data = data.reshape(shape[0], -1)
            encoded[name] = (data, encoding)
            plain[name] = (np.ascontiguousarray(gguf.quants.dequantize(data, encoding), dtype=np.float32), T.F32)
        logits = []
        for tensors in (encoded, plain):
            write_for_reading(scratch / "read.gguf", tensors)
            subprocess.run([options.pith, "eval", scratch / "read.gguf", "--ids", scratch / "ids.json", "--logits",
                            scratch / "read.npy", "-f", "-q"], check=True)
            logits.append(np.load(scratch / "read.npy"))
        check(np.isfinite(logits[0]).all() and np.array_equal(logits[0], logits[1]), f"reading {encoding.name}")
        seen.add(logits[0].tobytes())
    check(len(seen) == len(READ), "reading: two encodings give the same logits")
    print(f"reading: {len(READ)} encodings")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pith")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--converter")
    parser.add_argument("--converter-python", default=sys.executable)
    options = parser.parse_args()
    models = sorted((options.shared / "golden/models").glob("qwen3-*"))
    if not models:
        print(f"skipped: no golden models under {options.shared}")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        check_reading(options, pathlib.Path(scratch))
    for source in models:
        with tempfile.TemporaryDirectory() as scratch:
            check_model(options, source, pathlib.Path(scratch))
        if source.name == "qwen3-f32":
            with tempfile.TemporaryDirectory() as scratch:
                check_hard_values(options, source, pathlib.Path(scratch))
    without = "" if llama_cpp else "; bytes and keys only, without llama.cpp (./dev oracle llama)"
    print(f"{len(models)} models, {len(failures)} failures{without}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
