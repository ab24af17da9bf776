"""Trains a model over as many sittings as it takes: train.py DATA OUT --preset mini --minutes 120

OUT/state.pt holds everything (weights, optimisers, step); a later call goes on from there to the last bit, because a
step's text depends on the seed and the step's number alone. The rate stays level until --decay-tokens is given: from then
on it falls to zero over so many tokens, and OUT/checkpoint is the finished model. Given again in a later sitting, it falls
from where it is to zero over so many more. Without it, OUT/checkpoint is written at the end of each sitting all the same.
OUT/log.jsonl is the record; plot.py draws it.

With --one-sitting, for a machine that is rented by the minute, the clock rules instead: the rate is level for a part of
--minutes, counted from the first step, falls to zero at their end, and no state is kept, but OUT/checkpoint is written
every minute.

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
from package import load_package

PRESETS = {
    "nano": dict(hidden=192, layers=6, heads=3, kv_heads=1, head_dim=64, ffn=576, vocab=4096),
    "mini": dict(hidden=384, layers=6, heads=6, kv_heads=2, head_dim=64, ffn=1024, vocab=8192),
    "base": dict(hidden=512, layers=8, heads=8, kv_heads=2, head_dim=64, ffn=1536, vocab=8192, window=1024),
}
# How often a domain is drawn, per token that it has.
DOMAIN_WEIGHT = {"prose_en": 1.4, "docs_en": 0.65, "multi": 0.35, "structured": 0.33, "code": 0.85}
WARMUP_STEPS = 50
RECORD_STEPS = 20
EVALUATE_SECONDS, SAVE_SECONDS, ONE_SITTING_SAVE_SECONDS = 3000, 300, 60


class Muon:
    """Momentum whose direction is made orthogonal by a Newton-Schulz iteration (Jordan 2024, "Muon"); bf16 is enough for
    a direction. Matrices of one shape are taken together."""

    def __init__(self, matrices):
        shapes = sorted({tuple(p.shape) for p in matrices})
        self.groups = [[p for p in matrices if tuple(p.shape) == shape] for shape in shapes]
        self.momenta = [torch.zeros((len(g), *g[0].shape), device=g[0].device) for g in self.groups]

    @torch.no_grad()
    def step(self, rate):
        for group, momentum in zip(self.groups, self.momenta):
            gradient = torch.stack([p.grad for p in group])
            momentum.lerp_(gradient, 0.05)
            direction = self.orthogonal(gradient.lerp(momentum, 0.95))
            torch._foreach_mul_(group, 1 - 0.02 * 0.02 * rate)
            torch._foreach_add_(group, list(direction.unbind()), alpha=-0.02 * rate)

    @staticmethod
    def orthogonal(gradients, steps=5):
        x = gradients.bfloat16()
        x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
        tall = x.shape[1] > x.shape[2]
        if tall:
            x = x.mT
        for _ in range(steps):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
        if tall:
            x = x.mT
        return x.float() * max(1, x.shape[1] / x.shape[2]) ** 0.5


class Data:
    """All token files in the memory of the device, 4 bytes a token."""

    def __init__(self, folder, length, seed, device):
        paths = sorted(glob.glob(os.path.join(folder, "train.*.npy")))
        if not paths:
            raise SystemExit(f"{folder}: no train.*.npy (prepare.py makes them)")
        files = [np.load(p, mmap_mode="r") for p in paths]
        self.sizes = np.array([len(f) for f in files])
        share = [len(f) * DOMAIN_WEIGHT[os.path.basename(p).split(".")[1]] for p, f in zip(paths, files)]
        self.share = np.array(share) / sum(share)
        self.ids = torch.cat([torch.from_numpy(f.astype(np.int32)) for f in files]).to(device)
        self.length, self.seed = length, seed

    def batch(self, step, rows):
        """[rows, length + 1], the text of a step: the same whenever it is asked for."""
        rng = np.random.default_rng((self.seed, step))
        file = rng.choice(len(self.sizes), size=rows, p=self.share)
        at = rng.integers(0, self.sizes[file] - self.length - 1) + (np.cumsum(self.sizes) - self.sizes)[file]
        at = torch.from_numpy(at).to(self.ids.device)
        return self.ids[at[:, None] + torch.arange(self.length + 1, device=at.device)].long()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--preset", choices=PRESETS, default="mini")
    parser.add_argument("--from-checkpoint", help="begin with the weights of this checkpoint folder")
    parser.add_argument("--from-model", help="begin with the weights of this .pmodel file")
    parser.add_argument("--layers", type=int, help="with one of these: deepen it to so many layers")
    parser.add_argument("--minutes", type=float, default=60, help="length of this sitting")
    parser.add_argument("--decay-tokens", type=float, help="finish: let the rate fall to zero over so many tokens")
    parser.add_argument("--one-sitting", action="store_true", help="begin and finish within --minutes")
    parser.add_argument("--level-part", type=float, default=0.5, help="with --one-sitting: level for this part of it")
    parser.add_argument("--rows", type=int, default=16, help="sequences a step")
    parser.add_argument("--length", type=int, help="tokens a sequence (default: the window)")
    parser.add_argument("--rate", type=float, default=1.0, help="scales both learning rates")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    if a.one_sitting and a.decay_tokens:
        parser.error("--one-sitting has a decay of its own, so --decay-tokens does not go with it")
    if not 0 <= a.level_part < 1:
        parser.error("--level-part: expected at least 0 and below 1")
    return a


def train(a, ready=lambda: None):
    """Calls ready() when everything is compiled, before the data are read and the clock starts."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(a.seed)
    model = (load_checkpoint(a.from_checkpoint) if a.from_checkpoint else
             load_package(a.from_model) if a.from_model else Model(Shape(**PRESETS[a.preset])))
    if a.layers:
        model = deepened(model, a.layers)
    model.to(device)
    muon = Muon([p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n])
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    adam = torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0, fused=device == "cuda")
    step, tokens = 0, 0
    decay_from, decay_steps, decay_begin = None, None, 1.0  # the rate at decay_from, as a part of the level rate

    os.makedirs(a.out, exist_ok=True)
    state_path = os.path.join(a.out, "state.pt")
    if os.path.exists(state_path):
        if a.one_sitting:
            raise SystemExit(f"{state_path}: begun over several sittings; --one-sitting needs a new folder")
        s = torch.load(state_path, map_location=device, weights_only=True)
        model.load_state_dict(s["model"])
        adam.load_state_dict(s["adam"])
        for m, saved in zip(muon.momenta, s["momenta"]):
            m.copy_(saved)
        step, tokens = s["step"], s["tokens"]
        decay_from, decay_steps, decay_begin = s["decay_from"], s["decay_steps"], s["decay_begin"]
    length = a.length or model.s.window

    def loss_of(ids):
        with torch.autocast(device, torch.bfloat16):
            logits = model(ids[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())

    if a.compile:
        muon.orthogonal = torch.compile(muon.orthogonal, dynamic=False)
        for momentum in muon.momenta:
            muon.orthogonal(momentum)
        loss_of = torch.compile(loss_of)
        loss_of(torch.zeros(a.rows, length + 1, dtype=torch.long, device=device)).backward()
        model.zero_grad(set_to_none=True)
    ready()
    data = Data(a.data, length, a.seed, device)
    begin = time.time()

    def level():
        if a.one_sitting:
            return max(0.0, min(1.0, (1 - (time.time() - begin) / (a.minutes * 60)) / (1 - a.level_part)))
        return 1.0 if decay_from is None else decay_begin * (1 - (step - decay_from) / decay_steps)

    if a.decay_tokens:
        decay_begin = level()
        decay_from, decay_steps = step, max(1, round(a.decay_tokens / (a.rows * length)))

    def save():
        if a.one_sitting:  # the machine may go at any time
            save_checkpoint(model, os.path.join(a.out, "checkpoint"), os.path.join(a.data, "tokenizer.json"))
            return
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "momenta": muon.momenta, "step": step,
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

    print(sum(p.numel() for p in model.parameters()), "parameters,", device, "from step", step, flush=True)
    last_save = last_evaluation = begin
    loss_sum, loss_count = torch.zeros((), device=device), 0
    while time.time() - begin < a.minutes * 60 and (decay_from is None or step < decay_from + decay_steps):
        rate = a.rate * min(1, (step + 1) / WARMUP_STEPS) * level()
        loss = loss_of(data.batch(step, a.rows))
        loss.backward()
        muon.step(rate)
        for group in adam.param_groups:
            group["lr"] = 0.003 * rate
        adam.step()
        model.zero_grad(set_to_none=True)
        step += 1
        tokens += a.rows * length
        loss_sum, loss_count = loss_sum + loss.detach(), loss_count + 1
        if step % RECORD_STEPS == 0:
            record(loss=round(loss_sum.item() / loss_count, 4), rate=round(rate, 4))
            loss_sum, loss_count = torch.zeros((), device=device), 0
        now = time.time()
        if now - last_save > (ONE_SITTING_SAVE_SECONDS if a.one_sitting else SAVE_SECONDS):
            save()
            last_save = now
        if now - last_evaluation > EVALUATE_SECONDS:
            evaluate()
            last_evaluation = time.time()
    if not a.one_sitting:
        save()
    evaluate()  # writes the checkpoint
    if a.one_sitting or (decay_from is not None and step == decay_from + decay_steps):
        print(f"finished: {os.path.join(a.out, 'checkpoint')}")


if __name__ == "__main__":
    train(arguments())
