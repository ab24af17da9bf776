"""Trains a model over as many sittings as it takes: train.py DATA OUT --preset mini --minutes 120

OUT/state.pt holds everything (weights, optimisers, step); a later call goes on from there to the last bit, because a
step's text depends on the seed and the step's number alone. The rate stays level until --decay-tokens is given: from then
on it falls to zero over so many tokens, and OUT/checkpoint is the finished model. Given again in a later sitting, it falls
from where it is to zero over so many more. Without it, OUT/checkpoint is written at the end of each sitting all the same.
OUT/log.jsonl is the record; plot.py draws it.

Muon for matrices, AdamW for the embedding and the norms.
"""
import argparse
import glob
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from evaluate import bits_per_byte
from model import Model, Shape, deepened, load_checkpoint, save_checkpoint

PRESETS = {
    "nano": dict(hidden=128, layers=4, heads=2, kv_heads=1, head_dim=64, ffn=384, vocab=4096),
    "mini": dict(hidden=192, layers=6, heads=3, kv_heads=1, head_dim=64, ffn=576, vocab=4096),
    "base": dict(hidden=512, layers=8, heads=8, kv_heads=2, head_dim=64, ffn=1536, vocab=8192, window=1024),
}
# How often a domain is drawn, per token that it has.
DOMAIN_WEIGHT = {"prose_en": 1.5, "docs_en": 1.3, "multi": 0.5, "structured": 0.8, "code": 0.8}
WARMUP_STEPS = 50
EVALUATE_SECONDS, SAVE_SECONDS = 3000, 300


def muon_direction(gradient, momentum, steps=5):
    """Newton-Schulz iteration of the momentum (Jordan 2024, "Muon"); bf16 is enough for a direction."""
    momentum.lerp_(gradient, 0.05)
    x = gradient.lerp(momentum, 0.95).bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    if tall:
        x = x.T
    return x.float() * max(1, x.shape[0] / x.shape[1]) ** 0.5


class Data:
    def __init__(self, folder, length, seed):
        paths = sorted(glob.glob(os.path.join(folder, "train.*.npy")))
        if not paths:
            raise SystemExit(f"{folder}: no train.*.npy (prepare.py makes them)")
        self.files = [np.load(p, mmap_mode="r") for p in paths]
        share = [len(t) * DOMAIN_WEIGHT[os.path.basename(p).split(".")[1]] for p, t in zip(paths, self.files)]
        self.share = np.array(share) / sum(share)
        self.length, self.seed = length, seed

    def batch(self, step, rows):
        """The text of a step: the same whenever it is asked for."""
        rng = np.random.default_rng((self.seed, step))
        out = []
        for _ in range(rows):
            ids = self.files[rng.choice(len(self.files), p=self.share)]
            at = rng.integers(0, len(ids) - self.length - 1)
            out.append(ids[at:at + self.length + 1])
        return torch.from_numpy(np.stack(out).astype(np.int64))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--preset", choices=PRESETS, default="mini")
    parser.add_argument("--from-checkpoint", help="begin with the weights of this checkpoint folder")
    parser.add_argument("--layers", type=int, help="with --from-checkpoint: deepen it to so many layers")
    parser.add_argument("--minutes", type=float, default=60, help="length of this sitting")
    parser.add_argument("--decay-tokens", type=float, help="finish: let the rate fall to zero over so many tokens")
    parser.add_argument("--rows", type=int, default=16, help="sequences a step")
    parser.add_argument("--length", type=int, help="tokens a sequence (default: the window)")
    parser.add_argument("--rate", type=float, default=1.0, help="scales both learning rates")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()

    begin = time.time()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(a.seed)
    model = load_checkpoint(a.from_checkpoint) if a.from_checkpoint else Model(Shape(**PRESETS[a.preset]))
    if a.layers:
        model = deepened(model, a.layers)
    model.to(device)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    momenta = [torch.zeros_like(p) for p in matrices]
    adam = torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0)
    step, tokens = 0, 0
    decay_from, decay_steps, decay_begin = None, None, 1.0  # the rate at decay_from, as a part of the level rate

    os.makedirs(a.out, exist_ok=True)
    state_path = os.path.join(a.out, "state.pt")
    if os.path.exists(state_path):
        s = torch.load(state_path, map_location=device, weights_only=True)
        model.load_state_dict(s["model"])
        adam.load_state_dict(s["adam"])
        for m, saved in zip(momenta, s["momenta"]):
            m.copy_(saved)
        step, tokens = s["step"], s["tokens"]
        decay_from, decay_steps, decay_begin = s["decay_from"], s["decay_steps"], s["decay_begin"]
    length = a.length or model.s.window

    def level():
        return 1.0 if decay_from is None else decay_begin * (1 - (step - decay_from) / decay_steps)

    if a.decay_tokens:
        decay_begin = level()
        decay_from, decay_steps = step, max(1, round(a.decay_tokens / (a.rows * length)))

    def save():
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "momenta": momenta, "step": step,
                    "tokens": tokens, "decay_from": decay_from, "decay_steps": decay_steps,
                    "decay_begin": decay_begin}, state_path + ".part")
        os.replace(state_path + ".part", state_path)

    def record(**entry):
        entry = {"step": step, "tokens": tokens, "seconds": round(time.time() - begin), **entry}
        print(json.dumps(entry), flush=True)
        with open(os.path.join(a.out, "log.jsonl"), "a") as f:
            f.write(json.dumps(entry) + "\n")

    def evaluate():
        save_checkpoint(model, os.path.join(a.out, "checkpoint"), os.path.join(a.data, "tokenizer.json"))
        record(valid_bits_per_byte=bits_per_byte(model, a.data, autocast=True))

    data = Data(a.data, length, a.seed)
    run = torch.compile(model) if a.compile else model
    print(sum(p.numel() for p in model.parameters()), "parameters,", device, "from step", step, flush=True)
    last_save = last_evaluation = time.time()
    loss_sum = loss_count = 0
    while time.time() - begin < a.minutes * 60 and (decay_from is None or step < decay_from + decay_steps):
        rate = a.rate * min(1, (step + 1) / WARMUP_STEPS) * level()
        ids = data.batch(step, a.rows).to(device)
        with torch.autocast(device, torch.bfloat16):
            logits = run(ids[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        loss.backward()
        with torch.no_grad():
            for p, m in zip(matrices, momenta):
                p.mul_(1 - 0.02 * 0.02 * rate)
                p.add_(muon_direction(p.grad, m), alpha=-0.02 * rate)
        for group in adam.param_groups:
            group["lr"] = 0.003 * rate
        adam.step()
        model.zero_grad(set_to_none=True)
        step += 1
        tokens += ids[:, 1:].numel()
        loss_sum, loss_count = loss_sum + loss.item(), loss_count + 1
        now = time.time()
        if step % 20 == 0:
            record(loss=round(loss_sum / loss_count, 4), rate=round(rate, 4))
            loss_sum = loss_count = 0
        if now - last_save > SAVE_SECONDS:
            save()
            last_save = now
        if now - last_evaluation > EVALUATE_SECONDS:
            evaluate()
            last_evaluation = time.time()
    save()
    evaluate()
    if decay_from is not None and step == decay_from + decay_steps:
        print(f"finished: {os.path.join(a.out, 'checkpoint')}")


if __name__ == "__main__":
    main()
