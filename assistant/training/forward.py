"""Forward pass over dialogues with a shared prefix: the prefix is computed once per batch.

The system prompt and the tools' schemas open every dialogue. Their keys and values are computed
once per batch and shared by all rows; each row attends to them and to itself, at the positions of a
separate prompt. So the result equals the model's own (`tests/assistant/training/test_training.py`)
at a fraction of the work. Attention is written out: with few rows of a few hundred tokens on a CPU,
plain products in bfloat16 are faster than the fused kernel.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_MASKED = -30000.0


@dataclass(frozen=True, slots=True)
class SharedPrefixBatch:
    """A batch: `prefix` (p,) tokens and the `rest` (b, t) of every row.

    `positions` (3, b, t) are those of the rest, as time, height and width. `patches` (n, d) are
    all pictures of the batch in row order, `grids` (k, 3) their sizes; None without pictures.
    """

    prefix: Tensor
    rest: Tensor
    positions: Tensor
    patches: Tensor | None
    grids: Tensor | None


def hidden_states(model: Any, rows: SharedPrefixBatch) -> Tensor:
    """(b, t, d): the last hidden states of the rest of every row, as input to `lm_head`."""
    text = model.model.language_model
    start, (count, length) = len(rows.prefix), rows.rest.shape
    flat = torch.cat([rows.prefix, rows.rest.flatten()])
    x = text.embed_tokens(flat)
    seen, levels = None, []
    if rows.patches is not None:
        seen = flat == model.config.image_token_id
        looked = model.model.visual(rows.patches, grid_thw=rows.grids, return_dict=True)
        x = x.masked_scatter(seen[:, None], looked.pooler_output.to(x.dtype))
        levels = [level.to(x.dtype) for level in looked.deepstack_features]
    places = torch.cat(
        [torch.arange(start).expand(3, 1, start), rows.positions.reshape(3, 1, -1)], dim=2
    )
    turn = tuple(part[0][:, None, :] for part in text.rotary_emb(x[None], places))
    mask = _mask(start, length).to(turn[0].dtype)
    for number, layer in enumerate(text.layers):
        x = _layer(layer, x, turn, mask, shape=(start, count, length))
        if number < len(levels):
            x = x.index_put((seen,), x[seen] + levels[number])
    return _norm(text.norm, x[start:].view(count, length, -1))


def _mask(start: int, length: int) -> Tensor:
    """(t, p + t) causal mask: every token sees the prefix and the earlier tokens of its row."""
    own = torch.full((length, length), _MASKED).triu(1)
    return torch.cat([torch.zeros(length, start), own], dim=1)


def _norm(norm: Any, x: Tensor) -> Tensor:
    weight = norm.weight.to(x.dtype)
    normed: Tensor = functional.rms_norm(x, (x.shape[-1],), weight, norm.variance_epsilon)
    return normed


def _layer(
    layer: Any, x: Tensor, turn: tuple[Tensor, ...], mask: Tensor, *, shape: tuple[int, int, int]
) -> Tensor:
    x = x + _attend(layer.self_attn, _norm(layer.input_layernorm, x), turn, mask, shape=shape)
    h = _norm(layer.post_attention_layernorm, x)
    mlp = layer.mlp
    out: Tensor = x + mlp.down_proj(functional.silu(mlp.gate_proj(h)) * mlp.up_proj(h))
    return out


def _attend(
    attention: Any, h: Tensor, turn: tuple[Tensor, ...], mask: Tensor, *,
    shape: tuple[int, int, int],
) -> Tensor:  # fmt: skip
    start, count, length = shape
    width = attention.head_dim
    q = _norm(attention.q_norm, attention.q_proj(h).view(len(h), -1, width))
    k = _norm(attention.k_norm, attention.k_proj(h).view(len(h), -1, width))
    v = attention.v_proj(h).view(len(h), -1, width)
    q, k = _turned(q, turn), _turned(k, turn)
    heads, key_heads = q.shape[1], k.shape[1]
    per_key = heads // key_heads
    q = q.view(len(h), key_heads, per_key, width) * attention.scaling
    first = _beginning(q[:start], k[:start], v[:start])
    # (b · key heads, per key · t, d): heads that share keys are rows of one product.
    qs = q[start:].view(count, length, key_heads, per_key, width).permute(0, 2, 3, 1, 4)
    qs = qs.reshape(count * key_heads, per_key * length, width)
    ks, vs = (_with_beginning(part, start, count, length) for part in (k, v))
    scores = torch.baddbmm(mask.repeat(per_key, 1), qs, ks.transpose(1, 2))
    mixed = torch.bmm(functional.softmax(scores, dim=-1), vs)
    mixed = mixed.view(count, key_heads, per_key, length, width).permute(0, 3, 1, 2, 4)
    joined = torch.cat([first, mixed.reshape(count * length, heads * width)])
    return attention.o_proj(joined)  # type: ignore[no-any-return]


def _turned(x: Tensor, turn: tuple[Tensor, ...]) -> Tensor:
    """Rotary position embedding of (n, heads, d)."""
    cos, sin = turn
    half = x.shape[-1] // 2
    swapped = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * cos.to(x.dtype) + swapped * sin.to(x.dtype)


def _beginning(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention within the prefix: (p, heads · d)."""
    size = len(q)
    scores = torch.einsum("qghd,kgd->ghqk", q, k) + _mask(0, size).to(q.dtype)
    return torch.einsum("ghqk,kgd->qghd", functional.softmax(scores, -1), v).reshape(size, -1)


def _with_beginning(part: Tensor, start: int, count: int, length: int) -> Tensor:
    """Keys or values of every row after those of the prefix: (b · key heads, p + t, d)."""
    _, heads, width = part.shape
    common = part[:start].transpose(0, 1).expand(count, heads, start, width)
    own = part[start:].view(count, length, heads, width).transpose(1, 2)
    return torch.cat([common, own], dim=2).reshape(count * heads, start + length, width)
