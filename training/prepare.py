"""Shards to a tokenizer and token files: prepare.py SHARDS OUT [--tokenizer FILE | --vocab N] [--no-code]

Writes OUT/tokenizer.json and OUT/{train,valid}.DOMAIN[.NN].npy (uint16 ids, the start token before each document), and
OUT/sources.json: documents, bytes and tokens of each file. What exists already is kept.
"""
import argparse
import json
import os
import random

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import corpus
from sort_vocabulary import sort_tokenizer

START = "<|endoftext|>"
# The pattern of Qwen2 and Qwen3 (tokenizer.json of Qwen/Qwen3-0.6B).
QWEN_PATTERN = (r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
                r"""|\s*[\r\n]+|\s+(?!\S)|\s+""")
SAMPLE_BYTES = 120_000_000
PIECE = 20_000  # characters of a document at a time, so that long ones do not fill the sample


def learn_tokenizer(texts, vocab, seed=1):
    pieces = [t[i:i + PIECE] for t in texts for i in range(0, len(t), PIECE)]
    random.Random(seed).shuffle(pieces)
    sample, size = [], 0
    for piece in pieces:
        sample.append(piece)
        size += len(piece)
        if size > SAMPLE_BYTES:
            break
    tokenizer = Tokenizer(models.BPE())
    # No normaliser: the compressor keeps bytes as they are.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(sample, trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[START], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    learned = json.loads(tokenizer.to_str())
    sort_tokenizer(learned)
    return Tokenizer.from_str(json.dumps(learned))


def write_tokens(tokenizer, texts, path, sources):
    if os.path.exists(path):
        return
    start = np.array([tokenizer.token_to_id(START)], dtype=np.uint16)
    parts, n_bytes, n_documents, batch = [], 0, 0, []

    def flush():
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            parts.append(start)
            parts.append(np.array(encoding.ids, dtype=np.uint16))
        batch.clear()

    for text in texts:
        n_documents += 1
        n_bytes += len(text.encode())
        batch.append(text)
        if len(batch) == 64:
            flush()
    flush()
    if not parts:
        return
    ids = np.concatenate(parts)
    np.save(path + ".part.npy", ids)
    os.replace(path + ".part.npy", path)
    name = os.path.basename(path)
    sources[name] = {"documents": n_documents, "bytes": n_bytes, "tokens": len(ids)}
    print(f"{name}: {n_documents} documents, {n_bytes} bytes, {n_bytes / len(ids):.2f} bytes a token", flush=True)


def prepare(shard_folder, out, tokenizer_file=None, vocab=4096, code=True):
    os.makedirs(out, exist_ok=True)
    shards = corpus.shards(shard_folder)
    code_documents = list(corpus.code_documents()) if code else []
    path = os.path.join(out, "tokenizer.json")
    if tokenizer_file is not None:
        tokenizer = Tokenizer.from_file(tokenizer_file)
        tokenizer.save(path)
    elif not os.path.exists(path):
        texts = [t for _, valid, p in shards if not valid for t in corpus.documents(p)]
        texts += [t for _, valid, t in code_documents if not valid]
        tokenizer = learn_tokenizer(texts, vocab)
        tokenizer.save(path)
    tokenizer = Tokenizer.from_file(path)
    if tokenizer.get_vocab_size() > 65536:
        raise SystemExit(f"{path}: {tokenizer.get_vocab_size()} tokens; token files hold 16-bit ids")
    record = os.path.join(out, "sources.json")
    sources = json.load(open(record)) if os.path.exists(record) else {}
    for valid in (False, True):
        group = "valid" if valid else "train"
        write_tokens(tokenizer, (t for _, v, t in code_documents if v == valid), os.path.join(out, f"{group}.code.npy"),
                     sources)
        for domain, is_valid, p in shards:
            if is_valid == valid:
                number = "" if valid else "." + os.path.basename(p).split(".")[1]
                write_tokens(tokenizer, corpus.documents(p), os.path.join(out, f"{group}.{domain}{number}.npy"), sources)
        json.dump(sources, open(record, "w"), indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("out")
    parser.add_argument("--tokenizer", help="use this tokenizer.json instead of learning one")
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--no-code", action="store_true", help="leave the machine's own program code out")
    a = parser.parse_args()
    prepare(a.shards, a.out, a.tokenizer, a.vocab, not a.no_code)


if __name__ == "__main__":
    main()
