"""Ids in the order of their tokens' bytes: sort_vocabulary.py CHECKPOINT OUT

Copies a checkpoint (config.json, tokenizer.json, a tied model.safetensors) with its vocabulary in another order: special tokens keep
the first ids, then come all others by their bytes. What the model says of a text stays the same. The codec numbers tokens in this
order whatever the ids are (docs/numeric_contract.md section 8: tokens that begin alike share what is learned of them, which makes
archives 2 % smaller); where ids have it already, the codec need not reorder 8,192 numbers a token.
"""
import argparse
import json
import os
import shutil

EMBEDDING = "model.embed_tokens.weight"


def _byte_of():
    """The byte that each character of a byte-level vocabulary stands for (as in GPT-2's tokenizer)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def sort_tokenizer(tokenizer):
    """tokenizer: a parsed tokenizer.json, changed in place. Returns the old id of each new one."""
    vocab = tokenizer["model"]["vocab"]
    special = sorted(t["id"] for t in tokenizer["added_tokens"])
    byte_of = _byte_of()
    others = sorted((bytes(byte_of[c] for c in token), i) for token, i in vocab.items() if i not in special)
    order = special + [i for _, i in others]
    if sorted(order) != list(range(len(order))):
        raise SystemExit("tokenizer: its ids are not all the numbers from 0 on")
    new_id = {old: new for new, old in enumerate(order)}
    for token in tokenizer["added_tokens"]:
        token["id"] = new_id[token["id"]]
    tokenizer["model"]["vocab"] = dict(sorted(((t, new_id[i]) for t, i in vocab.items()), key=lambda entry: entry[1]))
    return order


def sort_checkpoint(source, target):
    from safetensors.torch import load_file, save_file  # prepare.py needs the tokenizer's part alone

    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "tokenizer.json"), encoding="utf-8") as f:
        tokenizer = json.load(f)
    order = sort_tokenizer(tokenizer)
    with open(os.path.join(source, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    if not config["tie_word_embeddings"]:
        raise SystemExit(f"{source}: has a head of its own, expected a tied embedding, as the presets have")
    for name in ("bos_token_id", "eos_token_id"):
        config[name] = order.index(config[name])
    tensors = load_file(os.path.join(source, "model.safetensors"))
    if len(tensors[EMBEDDING]) != len(order):
        raise SystemExit(f"{source}: {len(tensors[EMBEDDING])} rows of the embedding, {len(order)} tokens")
    tensors[EMBEDDING] = tensors[EMBEDDING][order].contiguous()
    save_file(tensors, os.path.join(target, "model.safetensors"), metadata={"format": "pt"})
    for name, value in (("tokenizer.json", tokenizer), ("config.json", config)):
        with open(os.path.join(target, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=2)
    if os.path.exists(os.path.join(source, "log.jsonl")):
        shutil.copy(os.path.join(source, "log.jsonl"), target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    a = parser.parse_args()
    sort_checkpoint(a.checkpoint, a.out)


if __name__ == "__main__":
    main()
