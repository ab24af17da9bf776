"""Reads a model file (.pmodel, docs/model_file.md) for further training: int8 rows times their scales.

Rounding to int8 costs a thousandth of a nat, so nothing else of a finished model needs to be kept. Its tokenizer.json does.
"""
import struct

import numpy as np
import torch

from model import Model, Shape

MAGIC = b"\x89PITHM\r\n"


def _matrix(data, rows, columns):
    panels, groups = -(-rows // 16), -(-columns // 4)
    codes = np.frombuffer(data, np.int8, panels * groups * 64).reshape(panels, groups, 16, 4)
    codes = codes.transpose(0, 2, 1, 3).reshape(panels * 16, groups * 4)[:rows, :columns]
    scales = np.frombuffer(data, "<f4", panels * 16, panels * groups * 64)[:rows]
    return codes.astype(np.float32) * scales[:, None]


def load_package(path):
    with open(path, "rb") as f:
        file = f.read()
    if file[:8] != MAGIC or struct.unpack_from("<I", file, 8)[0] != 1:
        raise SystemExit(f"{path}: not a model file of version 1")
    (config_at, _), _, (index_at, index_size), (data_at, _) = (
        struct.unpack_from("<QQ", file, 64 + 32 * i + 8) for i in range(4))
    layers, hidden, heads, kv_heads, head_dim, ffn, vocab, positions, tied = struct.unpack_from("<9I", file, config_at + 12)
    theta, = struct.unpack_from("<d", file, config_at + 48)
    if not tied:
        raise SystemExit(f"{path}: has a head of its own, expected a tied embedding, as the presets have")
    model = Model(Shape(hidden, layers, heads, kv_heads, head_dim, ffn, vocab, positions, theta))
    # Canonical order (section 3) is that of the names below; the index says where each begins.
    names = ["embed_tokens.weight"]
    for layer in range(layers):
        names += [f"layers.{layer}.{name}.weight" for name in (
            "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.q_norm",
            "self_attn.k_norm", "self_attn.o_proj", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj",
            "mlp.down_proj")]
    names.append("norm.weight")
    state = {}
    for name, at in zip(names, range(index_at, index_at + index_size, 32), strict=True):
        _, encoding, _, rows, columns, offset, size = struct.unpack_from("<HHIIIQQ", file, at)
        data = file[data_at + offset:data_at + offset + size]
        value = _matrix(data, rows, columns) if encoding == 1 else np.frombuffer(data, "<f4", columns).copy()
        state[name] = torch.from_numpy(value)
    model.load_state_dict(state)
    return model
