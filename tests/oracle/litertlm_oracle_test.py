"""Checks the .litertlm files of `pith convert` in Google's runtime.

    python litertlm_oracle_test.py PITH SHARED_DIR

SHARED_DIR holds golden/models, golden/litert and data/qwen3 (see its golden/README.md). Logits come from the TFLite
interpreter (ai-edge-litert), texts and scores from LiteRT-LM (litert-lm). Exit 0 passed, 77 skipped, else failed.

 1. Float32 weights: logits as transformers gives them; prefill in padded chunks leaves what decoding leaves.
 2. Encodings: codes and scales are those of LiteRT's quantiser (ai-edge-quantizer), operators and their versions those
    of litert-torch; fp16 and INT8 weights are as close as their rounding allows, with float and with INT8 activations;
    INT4 in blocks is the model with rounded weights; dynamic_int8 has the logits of the file that litert-torch wrote.
 3. LiteRT-LM answers and scores with pith's file as with litert-torch's.
 4. The same input gives the same bytes; a time stamp changes the header only.
 5. pith's engine on litert-torch's file is closer to float32 than XNNPACK is.
"""
import argparse
import contextlib
import json
import mmap
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import litert_lm
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as quantizer
    from ai_edge_quantizer.transformations.transformation_utils import pack_data
    from safetensors.numpy import load_file, save_file
except ImportError as e:
    print(f"skipped: no module {e.name}")
    sys.exit(77)

CACHE = 128  # tokens
HEADER_BYTES = 16384
MASKED = np.float32(-0.7) * np.finfo(np.float32).max  # as LiteRT-LM fills a mask
REAL_VOCABULARY = "qwen3-realvocab-bf16"
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
# Worst mean KL in nat that rounding costs each model when it is simulated in float32 (golden/README.md): INT8 rows, and
# INT8 activations (one scale a token) beside float activations on the same rows.
ROUNDING = {"qwen3-tied-bf16": (2.7e-3, 3.7e-3), "qwen3-untied-sharded-f16": (2.8e-3, 3.2e-3),
            "qwen3-odd-bf16": (3.4e-4, 4.4e-4), REAL_VOCABULARY: (9.9e-4, 9.7e-4),
            "qwen3-outliers-bf16": (8.9e-2, 4.4e-1)}
SAME_WEIGHTS = {"qwen3-f32": "qwen3-tied-bf16", "qwen3-tied-with-head-bf16": "qwen3-tied-bf16"}

failures = []


def check(holds, what):
    if not holds:
        failures.append(what)
    print("  " + ("" if holds else "FAIL ") + what)


# ---- Checkpoints


def byte_tokenizer(n_tokens):
    """tokenizer.json for a model without one: the 256 bytes, merges of pairs of letters, added tokens."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    pairs = [(a, b) for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"][:n_tokens - 256 - len(added)]
    vocab = {text: i for i, text in enumerate(letters + [a + b for a, b in pairs])}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {"version": "1.0", "normalizer": {"type": "NFC"}, "post_processor": byte_level, "decoder": byte_level,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "added_tokens": [{"id": len(vocab) + i, "content": text, "special": text.startswith("<|"),
                              "normalized": False} for i, text in enumerate(added)],
            "model": {"type": "BPE", "vocab": vocab, "merges": [list(p) for p in pairs]}}


def prepare(source, shared, scratch):
    folder = scratch / source.name
    folder.mkdir()
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    if source.name == REAL_VOCABULARY:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(shared / "data/qwen3" / name, folder / name)
    else:
        n_tokens = json.loads((folder / "config.json").read_text())["vocab_size"]
        (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer(n_tokens)))
    return folder


def read_weights(folder):
    """float32 tensors by name."""
    types = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
    tensors = {}
    for path in sorted(folder.glob("model*.safetensors")):
        data = path.read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8:begin]).items():
            if name == "__metadata__":
                continue
            first, last = entry["data_offsets"]
            values = np.frombuffer(data[begin + first:begin + last], types[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            tensors[name] = values.astype(np.float32)
    return tensors


def write_weights(folder, tensors):
    for path in folder.glob("model*.safetensors*"):
        path.unlink()
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, folder / "model.safetensors")


# ---- What is stored


def quantise(matrix, bits, block=0):
    """Codes and scales by LiteRT's quantiser: rows, or blocks of a row."""
    granularity = {0: "CHANNELWISE", 32: "BLOCKWISE_32", 128: "BLOCKWISE_128"}[block]
    granularity = qtyping.QuantGranularity(granularity)
    parts = matrix.reshape(len(matrix), -1, block) if block else matrix
    low, high = (f(parts, axis=-1, keepdims=not block) for f in (np.min, np.max))
    zero, scale = quantizer.tensor_zp_scale_from_min_max(low, high, bits, True, granularity)
    if block:
        scale = np.maximum(scale, np.float32(2**-24))  # for zeros it is 0, which XNNPACK refuses
    params = qtyping.UniformQuantParams(num_bits=bits, quantized_dimension=1 if block else 0, scale=scale,
                                        zero_point=zero, symmetric=True, block_size=block)
    return quantizer.uniform_quantize(matrix, params, block > 0), scale


def int4_blocks(matrix, block):
    """What INT4 blocks keep of a matrix."""
    codes, scale = quantise(matrix, 4, block)
    return (codes.reshape(len(matrix), -1, block) * scale[..., None]).reshape(matrix.shape).astype(np.float32)


def stored(path):
    """Weights by pith's names as they lie in the file: type, bytes, bytes of the scales. And operators, counted."""
    raw = tflite_section(path)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(raw, 0))

    def content(graph, tensor):
        buffer = model.buffers[graph.tensors[tensor].buffer]
        return raw[buffer.offset:buffer.offset + buffer.size]

    weights, operators = {}, {}
    for graph in model.subgraphs[:len(model.signatureDefs)]:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            key = (graph.name.decode(), code.builtinCode, code.version)
            operators[key] = operators.get(key, 0) + 1
        for i, t in enumerate(graph.tensors):
            if model.buffers[t.buffer].offset:
                scales, q = b"", t.quantization
                if q is not None and q.details is not None:
                    scales = content(graph, q.details.scales)
                elif q is not None and q.scale is not None:
                    scales = q.scale.tobytes()
                weights[t.name.decode()] = (t.type, content(graph, i), scales)
    return weights, operators


def encode(matrix, quantize):
    """The same as an encoding should give it."""
    if matrix.ndim == 1 or quantize == "none":
        return schema.TensorType.FLOAT32, matrix.tobytes(), b""
    if quantize == "fp16":
        return schema.TensorType.FLOAT16, matrix.astype(np.float16).tobytes(), b""
    if "block" in quantize:
        codes, scale = quantise(matrix, 4, int(quantize.rpartition("block")[2]))
        packed = pack_data(4, codes.reshape(-1).view(np.uint8))
        return schema.TensorType.INT4, packed.tobytes(), scale.astype(np.float16).tobytes()
    codes, scale = quantise(matrix, 8)
    return schema.TensorType.INT8, codes.tobytes(), scale.astype(np.float32).tobytes()


def pith_names(weights, tied):
    """Weights by the names in pith's graphs, where q, k and v are one matrix."""
    names = {"model.embed_tokens": "embedding", "model.norm": "final_norm", "lm_head": "head"}
    names |= {} if not tied else {"lm_head": None}
    parts = {"input_layernorm": "input_norm", "post_attention_layernorm": "post_attention_norm",
             "mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down", "self_attn.o_proj": "o",
             "self_attn.q_norm": "q_norm", "self_attn.k_norm": "k_norm", "self_attn.q_proj": "qkv"}
    out = {}
    for name, values in weights.items():
        name = name.removesuffix(".weight")
        if name.startswith("model.layers."):
            layer, _, part = name.removeprefix("model.layers.").partition(".")
            if part == "self_attn.q_proj":
                values = np.concatenate([weights[f"model.layers.{layer}.self_attn.{x}_proj.weight"] for x in "qkv"])
            names[name] = f"layers.{layer}.{parts[part]}" if part in parts else None
        if names[name]:
            out[names[name]] = values
    return out


def check_stored(path, folder, weights, quantize):
    found, operators = stored(path)
    tied = json.loads((folder / "config.json").read_text())["tie_word_embeddings"]
    expected = pith_names(weights, tied)
    ours = {name: entry for name, entry in found.items() if not name.endswith(".scales")}
    wrong = [name for name, values in expected.items() if ours.get(name) != encode(values, quantize)]
    check(not wrong and ours.keys() == expected.keys(), f"{quantize}: {len(ours)} weights with the bytes that LiteRT's "
          f"quantiser gives{': except ' + ', '.join(wrong) if wrong else ''}")
    product = schema.BuiltinOperator.FULLY_CONNECTED
    check(all(version == (5 if code == product else 1) for _, code, version in operators),
          f"{quantize}: versions of operators")


# ---- More checkpoints


def wide_model(folder, rng):
    """Random weights of a model whose columns are multiples of 128."""
    hidden, n_ff, n_heads, n_kv_heads, dim, vocab = 128, 256, 4, 2, 64, 512
    shapes = {"model.embed_tokens": (vocab, hidden), "model.norm": (hidden,)}
    for layer in range(2):
        p = f"model.layers.{layer}."
        shapes |= {p + "self_attn.q_proj": (n_heads * dim, hidden), p + "self_attn.k_proj": (n_kv_heads * dim, hidden),
                   p + "self_attn.v_proj": (n_kv_heads * dim, hidden), p + "self_attn.o_proj": (hidden, n_heads * dim),
                   p + "mlp.gate_proj": (n_ff, hidden), p + "mlp.up_proj": (n_ff, hidden),
                   p + "mlp.down_proj": (hidden, n_ff), p + "self_attn.q_norm": (dim,), p + "self_attn.k_norm": (dim,),
                   p + "input_layernorm": (hidden,), p + "post_attention_layernorm": (hidden,)}
    normal = lambda s: rng.standard_normal(s).astype(np.float32)
    tensors = {name + ".weight": 1 + normal(s) / 10 if len(s) == 1 else normal(s) * np.float32(
        0.4 if "embed" in name else s[1] ** -0.5) for name, s in shapes.items()}
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": hidden, "intermediate_size": n_ff, "num_attention_heads": n_heads, "num_hidden_layers": 2,
               "num_key_value_heads": n_kv_heads, "head_dim": dim, "vocab_size": vocab, "layer_types":
               ["full_attention"] * 2, "max_window_layers": 2, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    tensors["model.layers.0.mlp.up_proj.weight"][3:5] = 0
    tensors["model.layers.1.self_attn.q_proj.weight"][7, 96:] = 0
    write_weights(folder, tensors)


def convert(options, folder, out, quantize, **environment):
    subprocess.run([options.pith, "convert", folder, "-o", out, "--quantize", quantize, "--kv-cache-max-len",
                    str(CACHE), "--prefill", "8,64", "-f", "-q"], check=True, env={**os.environ, **environment})


# ---- The TFLite interpreter


def tflite_section(path):
    """The file from its TFLite section on, which begins at a multiple of 16 KiB."""
    with open(path, "rb") as f:
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        for at in range(HEADER_BYTES, len(data), HEADER_BYTES):
            if data[at + 4:at + 8] == b"TFL3":
                return data[at:]
    raise ValueError(f"{path}: no TFLite section")


class Session:
    """One conversation with the graphs of a file, in the way of LiteRT-LM."""

    def __init__(self, path):
        self.interpreter = Interpreter(model_content=tflite_section(path), num_threads=2)
        self.signatures = {k: self.interpreter.get_signature_runner(k) for k in self.interpreter.get_signature_list()}
        self.reset()

    def reset(self):
        details = self.signatures["decode"].get_input_details()
        self.cache = {k: np.zeros(d["shape"], d["dtype"]) for k, d in details.items() if k.startswith("kv_cache")}
        self.position = 0

    def _run(self, key, ids, length):
        """`length` slots, those after the ids filled as LiteRT-LM leaves them."""
        n = len(ids)
        tokens, positions = np.zeros((1, length), np.int32), np.zeros(length, np.int32)
        mask = np.full((1, 1, length, CACHE), MASKED, np.float32)
        tokens[0, :n] = ids
        positions[:n] = self.position + np.arange(n)
        for i in range(n):
            mask[0, 0, i, :self.position + i + 1] = 0
        out = self.signatures[key](tokens=tokens, input_pos=positions, mask=mask, **self.cache)
        self.cache = {k: out[k] for k in self.cache}
        self.position += n
        return out

    def prefill(self, ids, length):
        self._run(f"prefill_{length}", ids, length)

    def decode(self, ids):
        """Logits [ids, vocabulary]."""
        return np.stack([self._run("decode", [i], 1)["logits"].reshape(-1) for i in ids])

    def logits(self, ids):
        self.reset()
        return self.decode(ids)


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def divergence(expected, found):
    """Mean KL in nat."""
    p, q = log_softmax(expected), log_softmax(found)
    return float((np.exp(p) * (p - q)).sum(axis=-1).mean())


def texts(expected):
    """Token ids and how many logits of them are known, from the end; long texts shortened where all are known."""
    out = []
    for i in range(5):
        ids = expected.get(f"ids_{i}")
        if ids is not None and i > 0:
            n = min(len(ids), 96)
            out.append((i, ids[:n].tolist(), min(len(expected[f"logits_{i}"]), n)))
    return out


def worst(session, expected, which, everything=None):
    """Worst mean KL over the texts from the logits `which`_N; collects the runtime's logits in `everything`."""
    result = 0.0
    for i, ids, n in texts(expected):
        found = session.logits(ids)
        if everything is not None:
            everything.append(found)
        result = max(result, divergence(expected[f"{which}_{i}"][:n], found[-n:]))
    return result


# ---- The checks


def check_prefill(session, ids, what, tolerance):
    """Chunks of prefill, the last one padded, then decode: logits and caches against decode alone."""
    n_decoded = 6
    for plan in ([(8, 5)], [(8, 8), (8, 3)], [(64, 40)], [(64, 64), (8, 8), (8, 1)]):
        n = sum(k for _, k in plan)
        if n + n_decoded > len(ids):
            continue
        alone = session.logits(ids[:n + n_decoded])[n:]
        cache_alone = session.cache
        session.reset()
        for length, k in plan:
            session.prefill(ids[session.position:session.position + k], length)
        found = session.decode(ids[n:n + n_decoded])
        kl = divergence(alone, found)
        used = lambda name, c: c[:, :, :n] if "_k_" in name else c[..., :n]
        cache = max(float(np.abs(used(k, c) - used(k, session.cache[k])).max()) for k, c in cache_alone.items())
        check(kl <= tolerance, f"{what}: prefill {plan}: KL {kl:.1e} from decode alone (at most {tolerance:.0e}), "
              f"logits {np.abs(alone - found).max():.1e}, cache {cache:.1e}")


def check_model(options, source, scratch):
    print(source.name)
    folder = prepare(source, options.shared, scratch)
    expected = load_file(folder / "expected.safetensors")
    weights = read_weights(folder)
    out = scratch / "out.litertlm"
    rows_cost, activations_cost = ROUNDING[SAME_WEIGHTS.get(source.name, source.name)]
    long_ids = (expected["ids_3"] if "ids_3" in expected else np.tile(expected["ids_2"], 5)).tolist() + [5, 6, 7] * 5

    convert(options, folder, out, "none")
    check_stored(out, folder, weights, "none")
    session = Session(out)
    kl = worst(session, expected, "logits")
    check(kl <= 1e-6, f"none: KL {kl:.1e} from transformers (at most 1e-6)")
    check_prefill(session, long_ids, "none", 1e-8)

    convert(options, folder, out, "fp16")
    check_stored(out, folder, weights, "fp16")
    kl = worst(Session(out), expected, "logits")
    # The error of a value is 2^-11 of it at most; that of INT8 rows 2^-8 of the row's largest.
    check(kl <= rows_cost / 64, f"fp16: KL {kl:.1e} from transformers (at most {rows_cost / 64:.1e})")

    convert(options, folder, out, "weight_only_int8")
    check_stored(out, folder, weights, "weight_only_int8")
    kl = worst(Session(out), expected, "logits_w8")
    check(kl <= 1e-6, f"weight_only_int8: KL {kl:.1e} from transformers on rounded rows (at most 1e-6)")

    convert(options, folder, out, "dynamic_int8")
    check_stored(out, folder, weights, "dynamic_int8")
    session = Session(out)
    kl, kl_float = worst(session, expected, "logits_w8"), worst(session, expected, "logits")
    check(kl <= 5 * activations_cost, f"dynamic_int8: KL {kl:.1e} from transformers on rounded rows (at most "
          f"{5 * activations_cost:.1e}); {kl_float:.1e} from float32")
    check_prefill(session, long_ids, "dynamic_int8", activations_cost)
    if source.name == REAL_VOCABULARY:
        check_beside_litert_torch(options, folder, out, scratch)

    check_int4(options, folder, weights, expected, 32, activations_cost, scratch)
    check_same_bytes(options, folder, scratch)
    shutil.rmtree(folder)


def check_int4(options, folder, weights, expected, block, activations_cost, scratch):
    what = f"dynamic_int4_block{block}"
    matrices = [v for v in weights.values() if v.ndim == 2]
    out = scratch / "int4.litertlm"
    if any(v.shape[1] % block for v in matrices):
        command = [options.pith, "convert", folder, "-o", out, "--quantize", what, "-f", "-q"]
        done = subprocess.run(command, capture_output=True, text=True)
        refused = done.returncode != 0 and "multiple of the block" in done.stderr
        check(refused, f"{what}: refused, columns do not divide")
        return
    convert(options, folder, out, what)
    check_stored(out, folder, weights, what)
    session = Session(out)
    rounded = scratch / "rounded"
    shutil.copytree(folder, rounded)
    write_weights(rounded, {k: int4_blocks(v, block) if v.ndim == 2 else v for k, v in weights.items()})
    convert(options, rounded, scratch / "rounded.litertlm", "none")
    shutil.rmtree(rounded)
    reference = Session(scratch / "rounded.litertlm")
    kl = kl_float = 0.0
    for i, ids, n in texts(expected):
        found, on_rounded = session.logits(ids), reference.logits(ids)
        kl = max(kl, divergence(on_rounded, found))
        kl_float = max(kl_float, divergence(expected[f"logits_{i}"][:n], found[-n:]))
    check(kl <= 5 * activations_cost, f"{what}: KL {kl:.1e} from float32 on rounded blocks (at most "
          f"{5 * activations_cost:.1e}); {kl_float:.1e} from float32")


def check_wide(options, source, scratch):
    """Blocks of 128, which need wider matrices than the golden models have; rows and blocks of zeros."""
    print("a model of 128 columns")
    folder = prepare(source, options.shared, scratch)
    rng = np.random.default_rng(1)
    wide_model(folder, rng)
    weights = read_weights(folder)
    ids = rng.integers(0, 512, 48).tolist()
    convert(options, folder, scratch / "none.litertlm", "none")
    expected = {"ids_1": np.array(ids), "logits_1": Session(scratch / "none.litertlm").logits(ids)}
    convert(options, folder, scratch / "int8.litertlm", "dynamic_int8")
    check_stored(scratch / "int8.litertlm", folder, weights, "dynamic_int8")
    check(np.isfinite(Session(scratch / "int8.litertlm").logits(ids)).all(), "dynamic_int8: runs")
    for block in (32, 128):
        check_int4(options, folder, weights, expected, block, ROUNDING["qwen3-tied-bf16"][1], scratch)
    shutil.rmtree(folder)


def check_same_bytes(options, folder, scratch):
    files = [scratch / f"{i}.litertlm" for i in range(3)]
    for path, epoch in zip(files, ("1700000000", "1700000000", "1800000000")):
        convert(options, folder, path, "dynamic_int8", SOURCE_DATE_EPOCH=epoch)
    first, again, later = (p.read_bytes() for p in files)
    check(first == again, "the same bytes when converted again")
    check(first != later and first[HEADER_BYTES:] == later[HEADER_BYTES:], "SOURCE_DATE_EPOCH changes the header only")


def check_beside_litert_torch(options, folder, ours, scratch):
    """`ours` and the file that litert-torch wrote from the same checkpoint with the same options."""
    expected = json.loads((options.shared / "golden/litert/expected.json").read_text())
    theirs = options.shared / "golden/litert" / expected["file"]
    ids = expected["logits"]["ids"]
    convert(options, folder, scratch / "none.litertlm", "none")
    float32 = Session(scratch / "none.litertlm").logits(ids)
    a, b = Session(ours).logits(ids), Session(theirs).logits(ids)
    kl_a, kl_b = divergence(float32, a), divergence(float32, b)
    bits = "the same bits" if np.array_equal(a, b) else f"logits differ by up to {np.abs(a - b).max():.1e}"
    check(kl_a <= 1.1 * kl_b, f"dynamic_int8: KL {kl_a:.3e} from float32, litert-torch's file {kl_b:.3e}; {bits}")
    lse = -log_softmax(b)[:, 0] + b[:, 0]
    off = np.abs(lse - expected["logits"]["logsumexp"]).max()
    check(off < 1e-2, f"litert-torch's file: logsumexp of expected.json within {off:.1e}")
    # Its converter makes a transpose of one head a reshape, and drops reshapes; this model has one head of keys.
    shapes = (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.TRANSPOSE)
    a, b = ({k: n for k, n in stored(f)[1].items() if k[1] not in shapes} for f in (ours, theirs))
    check(a == b, "the operators of litert-torch's file, but for transposes and reshapes")

    (scratch / "ids.json").write_text(json.dumps(ids))
    for name, path in (("litert-torch's", theirs), ("its own", ours)):
        subprocess.run([options.pith, "eval", path, "--ids", scratch / "ids.json", "--logits", scratch / "logits.npy",
                        "-f", "-q"], check=True)
        kl = divergence(float32, np.load(scratch / "logits.npy"))
        check(kl < kl_b, f"pith on {name} file: KL {kl:.3e} from float32, XNNPACK {kl_b:.3e}")
    check_conversation(ours, expected)


def runtime(path):
    litert_lm.set_min_log_severity(litert_lm.LogSeverity.FATAL)
    return litert_lm.Engine(str(path), backend=litert_lm.Backend.CPU(), cache_dir=":nocache")


def check_conversation(path, expected):
    engine = runtime(path)
    greedy = litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0, seed=0)
    for case in expected["generate"]:
        with engine.create_conversation(sampler_config=greedy, max_output_tokens=case["max_tokens"]) as c:
            parts = c.send_message(case["prompt"]).contents.contents
            text = "".join(getattr(p, "text", "") for p in parts)
        check(text == case["text"], f"LiteRT-LM answers {case['prompt']!r} with {text[:24]!r}..")
    for case in expected["score"]:
        # An engine for each: after a prompt of one token, the score depends on what the engine was asked before, with
        # litert-torch's file too.
        with runtime(path).create_session(apply_prompt_template=False) as s:
            s.run_prefill([case["prompt"]])
            r = s.run_text_scoring([case["text"]], store_token_lengths=True)
        difference = abs(r.scores[0] - case["scores"][0])
        check(difference < 1e-2 and r.token_lengths == case["tokens"], f"LiteRT-LM scores {case['text']!r} after "
              f"{case['prompt']!r}: {r.scores[0]:.4f}, differs by {difference:.1e}")


@contextlib.contextmanager
def scratch_folder():
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pith", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    options = parser.parse_args()
    models = sorted((options.shared / "golden/models").glob("qwen3-*"))
    if not models or not (options.shared / "golden/litert/expected.json").exists():
        print(f"skipped: no golden models under {options.shared}")
        return 77
    for source in models:
        with scratch_folder() as scratch:
            check_model(options, source, scratch)
    with scratch_folder() as scratch:
        check_wide(options, next(m for m in models if m.name == "qwen3-tied-bf16"), scratch)
    print(f"{len(models)} models, {len(failures)} failures")
    for what in failures:
        print("FAIL", what)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
