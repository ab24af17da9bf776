"""Exports small Qwen3 checkpoints with pith and runs them with onnxruntime, against reference logits.

    python onnx_oracle_test.py PITH_BINARY SHARED_DIR

SHARED_DIR/golden/models/qwen3-*/ hold a checkpoint and expected.safetensors: ids_N and logits_N (float32,
from another implementation), greedy_prompt and greedy_ids. Needs numpy, onnx, onnxruntime, safetensors; exit
code 77 (skipped) where one of them or the folder is missing.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

# Largest difference of a logit from the reference, for weights that are exact in the file. Logits reach 30;
# float32 sums in another order differ by some 2e-5.
FLOAT_TOLERANCE = 1e-4
# The same between two ways of feeding one model: the order of sums differs with the number of rows.
SELF_TOLERANCE = 1e-4
# Largest mean KL divergence from the reference in nat, of ids_2, ids_3 and ids_4.
KL_LIMIT = {"fp16": 1e-4, "int8": 2e-3}
PLAIN = {"qwen3-tied-bf16", "qwen3-tied-with-head-bf16", "qwen3-untied-sharded-f16", "qwen3-f32"}
QUANTISATIONS = ("none", "fp16", "int8")

failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text)


class Model:
    def __init__(self, path, config):
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.n_layers = config["num_hidden_layers"]
        self.kv_shape = (config["num_key_value_heads"], config["head_dim"])
        self.names = [o.name for o in self.session.get_outputs()]

    def empty_past(self, batch=1):
        heads, depth = self.kv_shape
        return [np.zeros((batch, heads, 0, depth), np.float32) for _ in range(2 * self.n_layers)]

    def run(self, ids, past=None, mask=None, positions=None):
        """ids [batch, n]; returns logits [batch, n, vocab] and what to pass as past next."""
        ids = np.atleast_2d(np.asarray(ids, np.int64))
        past = past if past is not None else self.empty_past(len(ids))
        n_past = past[0].shape[2]
        if mask is None:
            mask = np.ones((len(ids), n_past + ids.shape[1]), np.int64)
        if positions is None:
            positions = np.broadcast_to(np.arange(n_past, n_past + ids.shape[1]), ids.shape)
        feed = {"input_ids": ids, "attention_mask": mask, "position_ids": np.ascontiguousarray(positions)}
        for i in range(self.n_layers):
            feed[f"past_key_values.{i}.key"] = past[2 * i]
            feed[f"past_key_values.{i}.value"] = past[2 * i + 1]
        out = dict(zip(self.names, self.session.run(None, feed)))
        present = [out[f"present.{i}.{part}"] for i in range(self.n_layers) for part in ("key", "value")]
        return out["logits"], present


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def mean_kl(reference, logits):
    p, q = log_softmax(reference), log_softmax(logits)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def export(pith, folder, path, quantize):
    command = [pith, "convert", str(folder), "-o", str(path), "--quantize", quantize]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")


def check_file(path, config):
    """The file as the onnx package sees it."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path), load_external_data=False)
    data = path.with_name(path.name + "_data")
    end = 0
    for tensor in model.graph.initializer:
        place = {e.key: e.value for e in tensor.external_data}
        if not place:
            continue
        expect(place["location"] == data.name, f"{path.name}: {tensor.name} lies in {place['location']}")
        expect(int(place["offset"]) % 4096 == 0, f"{path.name}: {tensor.name} begins at {place['offset']}")
        end = max(end, int(place["offset"]) + int(place["length"]))
    expect(data.stat().st_size == end, f"{path.name}: data of {data.stat().st_size} bytes, expected {end}")
    large = [t.name for t in model.graph.initializer if t.name.startswith(("model.embed_tokens", "lm_head"))
             and not t.name.endswith("_scales")]
    expect(len(large) == (1 if config["tie_word_embeddings"] else 2), f"{path.name}: stores {large}")


def check_cache(model, expected, name):
    """One token after the other, and in pieces, gives what prefill in one go gives."""
    ids = expected["ids_2"]
    whole, present = model.run(ids)
    worst = 0.0
    for pieces in ([1] * len(ids), [5, 1, 4, len(ids) - 10]):
        past, begin, rows = None, 0, []
        for n in pieces:
            logits, past = model.run(ids[begin:begin + n], past)
            rows.append(logits[0])
            begin += n
        worst = max(worst, float(np.abs(np.concatenate(rows) - whole[0]).max()))
        for a, b in zip(past, present):
            expect(a.shape == b.shape, f"{name}: present {a.shape} and {b.shape}")
    expect(worst <= SELF_TOLERANCE, f"{name}: token by token differs from prefill by {worst:.2e}")
    return worst


def check_padding(model, expected, name):
    """Two sequences of unlike length, the shorter one padded on the left, prefill and one step more."""
    long, short = expected["ids_2"], expected["ids_2"][3:10]
    pad = len(long) - len(short)
    ids = np.stack([long, np.concatenate([np.zeros(pad, np.int64), short])])
    mask = np.ones_like(ids)
    mask[1, :pad] = 0
    positions = np.maximum(np.cumsum(mask, 1) - 1, 0)
    both, past = model.run(ids, mask=mask, positions=positions)
    next_ids = np.array([[7], [11]])
    mask = np.concatenate([mask, np.ones((2, 1), np.int64)], 1)
    more, _ = model.run(next_ids, past, mask, positions[:, -1:] + 1)
    worst = 0.0
    for row, alone in enumerate((long, short)):
        logits, past1 = model.run(alone)
        step, _ = model.run(next_ids[row], past1)
        worst = max(worst, float(np.abs(both[row, -len(alone):] - logits[0]).max()),
                    float(np.abs(more[row] - step[0]).max()))
    expect(worst <= SELF_TOLERANCE, f"{name}: a padded batch differs from single sequences by {worst:.2e}")
    return worst


def greedy(model, prompt, n):
    ids, past, out = prompt, None, []
    for _ in range(n):
        logits, past = model.run(ids, past)
        out.append(int(logits[0, -1].argmax()))
        ids = [out[-1]]
    return out


def check_model(pith, folder, out):
    config = json.loads((folder / "config.json").read_text())
    expected = load_file(folder / "expected.safetensors")
    numbers = sorted(int(k[4:]) for k in expected if k.startswith("ids_"))
    for quantize in QUANTISATIONS:
        name = f"{folder.name} {quantize}"
        path = out / f"{folder.name}-{quantize}.onnx"
        export(pith, folder, path, quantize)
        check_file(path, config)
        model = Model(path, config)
        worst, kls = 0.0, []
        for i in numbers:
            logits = model.run(expected[f"ids_{i}"])[0][0]
            reference = expected[f"logits_{i}"]
            logits = logits[-len(reference):]  # a large vocabulary: the last position's only
            worst = max(worst, float(np.abs(logits - reference).max()))
            if i >= 2:
                kls.append(mean_kl(reference, logits))
        kl = max(kls)
        # fp16 holds what these checkpoints hold exactly, but for float32.
        exact = quantize == "none" or (quantize == "fp16" and "f32" not in folder.name)
        if exact:
            expect(worst <= FLOAT_TOLERANCE, f"{name}: differs from the reference by {worst:.2e}")
        if folder.name in PLAIN and quantize in KL_LIMIT:
            expect(kl <= KL_LIMIT[quantize], f"{name}: KL {kl:.2e}, limit {KL_LIMIT[quantize]:.0e}")
        cache = check_cache(model, expected, name)
        padding = check_padding(model, expected, name)
        tokens = greedy(model, expected["greedy_prompt"], len(expected["greedy_ids"]))
        same = sum(int(a == b) for a, b in zip(tokens, expected["greedy_ids"]))
        if exact:
            expect(same == len(tokens), f"{name}: {same} of {len(tokens)} greedy tokens")
        size = sum(p.stat().st_size for p in out.glob(path.name + "*"))
        print(f"{name:36} largest difference {worst:.2e}  KL {kl:.2e}  by tokens {cache:.1e}"
              f"  padded {padding:.1e}  greedy {same}/{len(tokens)}  {size} bytes", flush=True)


def main():
    pith, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    folders = sorted((shared / "golden/models").glob("qwen3-*"))
    if not folders:
        print(f"skipped: no golden/models/qwen3-* in {shared}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as out:
        for folder in folders:
            check_model(pith, folder, pathlib.Path(out))
    print(f"{len(folders)} checkpoints, {len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
