"""The Qwen3 architecture in float, for training; writes and reads Hugging Face checkpoints that `pith import` takes."""
import dataclasses
import json
import os
import shutil

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


@dataclasses.dataclass
class Shape:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int = 4096
    window: int = 512  # each token sees so many, itself included: the codec's rolling window
    theta: float = 10000.0


class Norm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, 1e-6)


class Attention(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.q_proj = nn.Linear(s.hidden, s.heads * s.head_dim, bias=False)
        self.k_proj = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.v_proj = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.o_proj = nn.Linear(s.heads * s.head_dim, s.hidden, bias=False)
        self.q_norm, self.k_norm = Norm(s.head_dim), Norm(s.head_dim)

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        s = self.s
        q = self.q_norm(self.q_proj(x).view(batch, length, s.heads, s.head_dim)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(batch, length, s.kv_heads, s.head_dim)).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, s.kv_heads, s.head_dim).transpose(1, 2)

        def rope(t):
            a, b = t.chunk(2, -1)
            return t * cos + torch.cat((-b, a), -1) * sin

        out = F.scaled_dot_product_attention(rope(q), rope(k), v, attn_mask=mask, is_causal=mask is None,
                                             enable_gqa=True)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.gate_proj = nn.Linear(s.hidden, s.ffn, bias=False)
        self.up_proj = nn.Linear(s.hidden, s.ffn, bias=False)
        self.down_proj = nn.Linear(s.ffn, s.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(s.hidden), Norm(s.hidden)
        self.self_attn, self.mlp = Attention(s), Mlp(s)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.embed_tokens = nn.Embedding(s.vocab, s.hidden)
        self.layers = nn.ModuleList(Layer(s) for _ in range(s.layers))
        self.norm = Norm(s.hidden)
        for name, p in self.named_parameters():
            if "o_proj" in name or "down_proj" in name:
                nn.init.zeros_(p)  # each layer begins as the identity
            elif p.dim() == 2:
                nn.init.normal_(p, std=0.02 if "embed" in name else p.shape[1] ** -0.5)

    def forward(self, ids):
        """ids [batch, length] -> logits [batch, length, vocab]."""
        length, device = ids.shape[1], ids.device
        inverse = self.s.theta ** (-torch.arange(0, self.s.head_dim, 2, device=device) / self.s.head_dim)
        angle = torch.outer(torch.arange(length, device=device).float(), inverse)
        angle = torch.cat((angle, angle), -1)
        mask = None
        if length > self.s.window:
            distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
            mask = (distance >= 0) & (distance < self.s.window)
        x = self.embed_tokens(ids)
        if torch.is_autocast_enabled(device.type):  # so that half as much of the residual stream travels
            x = x.to(torch.get_autocast_dtype(device.type))
        for layer in self.layers:
            x = layer(x, angle.cos(), angle.sin(), mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def deepened(model, layers):
    """A model of so many layers that computes the same: evenly spread, some layers are followed by a copy of
    themselves that begins as the identity (its two output matrices are zero)."""
    old = model.s.layers
    if layers < old:
        raise SystemExit(f"{layers} layers, expected at least the {old} of the checkpoint")
    deeper = Model(dataclasses.replace(model.s, layers=layers))
    deeper.embed_tokens, deeper.norm = model.embed_tokens, model.norm
    previous = -1
    for i in range(layers):
        source = i * old // layers
        deeper.layers[i].load_state_dict(model.layers[source].state_dict())
        if source == previous:
            nn.init.zeros_(deeper.layers[i].self_attn.o_proj.weight)
            nn.init.zeros_(deeper.layers[i].mlp.down_proj.weight)
        previous = source
    return deeper


def save_checkpoint(model, out, tokenizer_file):
    s = model.s
    os.makedirs(out, exist_ok=True)
    state = {"model." + k: v.detach().to(torch.bfloat16).contiguous().cpu() for k, v in model.state_dict().items()}
    weights = os.path.join(out, "model.safetensors")
    save_file(state, weights + ".part", metadata={"format": "pt"})
    os.replace(weights + ".part", weights)
    config = dict(
        architectures=["Qwen3ForCausalLM"], model_type="qwen3", attention_bias=False, attention_dropout=0.0,
        bos_token_id=0, eos_token_id=0, head_dim=s.head_dim, hidden_act="silu", hidden_size=s.hidden,
        initializer_range=0.02, intermediate_size=s.ffn, max_position_embeddings=s.window, max_window_layers=s.layers,
        num_attention_heads=s.heads, num_hidden_layers=s.layers, num_key_value_heads=s.kv_heads, rms_norm_eps=1e-6,
        rope_scaling=None, rope_theta=s.theta, sliding_window=None, tie_word_embeddings=True,
        torch_dtype="bfloat16", use_cache=True, use_sliding_window=False, vocab_size=s.vocab)
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    target = os.path.join(out, "tokenizer.json")
    if os.path.abspath(tokenizer_file) != os.path.abspath(target):
        shutil.copyfile(tokenizer_file, target)


def load_checkpoint(folder):
    with open(os.path.join(folder, "config.json")) as f:
        c = json.load(f)
    model = Model(Shape(c["hidden_size"], c["num_hidden_layers"], c["num_attention_heads"], c["num_key_value_heads"],
                        c["head_dim"], c["intermediate_size"], c["vocab_size"], c["max_position_embeddings"],
                        c["rope_theta"]))
    state = load_file(os.path.join(folder, "model.safetensors"))
    model.load_state_dict({k.removeprefix("model."): v.float() for k, v in state.items() if k != "lm_head.weight"})
    return model
