"""Draws a training run: plot.py OUT [OUT...] -o curve.svg

Loss of the training batches (a line for each run's OUT/log.jsonl, smoothed), and bits per byte of the valid files as points.
"""
import argparse
import json
import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("-o", "--output", default="curve.svg")
    a = parser.parse_args()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    for run in a.runs:
        with open(os.path.join(run, "log.jsonl")) as f:
            entries = [json.loads(line) for line in f]
        losses = [e for e in entries if "loss" in e]
        # A sitting that was cut off between two saves goes over the same steps again: the later entry counts.
        losses = sorted({e["step"]: e for e in losses}.values(), key=lambda e: e["step"])
        tokens, smooth, mean = [], [], None
        for e in losses:
            mean = e["loss"] if mean is None else 0.85 * mean + 0.15 * e["loss"]
            tokens.append(e["tokens"] / 1e6)
            smooth.append(mean)
        name = os.path.basename(os.path.normpath(run))
        left.plot(tokens, smooth, label=name)
        valid = [e for e in entries if "valid_bits_per_byte" in e]
        for domain in sorted(valid[-1]["valid_bits_per_byte"]) if valid else []:
            right.plot([e["tokens"] / 1e6 for e in valid], [e["valid_bits_per_byte"][domain] for e in valid], "o-",
                       label=f"{name}: {domain}" if len(a.runs) > 1 else domain)
    left.set(xlabel="million tokens of this run", ylabel="training loss, nat a token")
    right.set(xlabel="million tokens of this run", ylabel="bits per byte, valid files")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(a.output)


if __name__ == "__main__":
    main()
