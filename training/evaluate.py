"""Bits per byte of a checkpoint on the valid.* token files: evaluate.py CHECKPOINT_DIR DATA [--max-tokens N]

Windows of the model's length that stand alone, so the numbers are upper bounds of what the codec's rolling window gives.
"""
import argparse
import glob
import json
import math
import os

import numpy as np
import torch
import torch.nn.functional as F


def bits_per_byte(model, data, max_tokens=131072, autocast=False):
    """{domain: bits per byte} over the first max_tokens of each valid file."""
    device = next(model.parameters()).device
    with open(os.path.join(data, "sources.json")) as f:
        sources = json.load(f)
    length, result = model.s.window, {}
    for path in sorted(glob.glob(os.path.join(data, "valid.*.npy"))):
        name = os.path.basename(path)
        ids = np.load(path, mmap_mode="r")
        bytes_a_token = sources[name]["bytes"] / sources[name]["tokens"]
        n = min(len(ids) - 1, max_tokens) // length
        nats = 0.0
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            for j in range(0, n, 16):
                rows = np.stack([ids[k * length:(k + 1) * length + 1] for k in range(j, min(n, j + 16))])
                x = torch.from_numpy(rows.astype(np.int64)).to(device)
                logits = model(x[:, :-1]).flatten(0, 1).float()
                nats += F.cross_entropy(logits, x[:, 1:].flatten(), reduction="sum").item()
        result[name.split(".")[1]] = round(nats / (n * length) / math.log(2) / bytes_a_token, 4)
    return result


def main():
    from model import load_checkpoint
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("data")
    parser.add_argument("--max-tokens", type=int, default=131072)
    a = parser.parse_args()
    print(json.dumps(bits_per_byte(load_checkpoint(a.checkpoint).eval(), a.data, a.max_tokens)))


if __name__ == "__main__":
    main()
