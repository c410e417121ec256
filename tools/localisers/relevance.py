"""Attention rollout and gradient-weighted relevance of a CLIP ViT's patches.

Rollout: Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. Relevance: Chefer,
Gur & Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
Transformers", ICCV 2021, eq. 5 and 6 for self-attention.

open_clip's blocks do not request attention weights, and those of PyTorch are not part of the graph
that computes the output, so they have no gradient. Therefore each block's attention is recomputed
from queries and keys while a map is made; its output, which is equal, replaces PyTorch's.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.localisers.gradients import forgery_score_function, relative_excess, upsample_map
from tools.localisers.protocol import GradientEncoder, LinearHead, MapEncoder, ScoringHead

if TYPE_CHECKING:
    import torch

METHOD = (
    "gradient-weighted attention relevance of the face's forgery score (Chefer et al. 2021); "
    "mean over the region, 0 is as much as the whole crop's mean"
)
ROLLOUT_METHOD = (
    "attention rollout (Abnar & Zuidema 2020); mean over the region, 0 is as much as the whole "
    "crop's mean"
)
LIMITS = (
    "Shows what moved this detector's score, which need not be where a face was changed; "
    "the map of an authentic face is as bright."
)
ROLLOUT_LIMITS = (
    "Shows where the encoder looked, whatever the score: it is the same map for any detector."
)


def relevance_map(crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead) -> np.ndarray | None:
    """Relevance for the forgery score: (s, s) float32 around 0, or None.

    `crop` (s, s, 3) uint8 RGB is the aligned face. 0 means mean relevance, 1 twice the mean, -1
    none. None if the tower is not a CLIP ViT with class-token pooling, or the head is not linear.

    Does not show: where a face was forged, or whether it was; only what raised this detector's
    score, relative to the rest of the same face.
    """
    if not isinstance(encoder, GradientEncoder) or not isinstance(head, LinearHead):
        return None
    blocks = attention_blocks(encoder.model)
    score = forgery_score_function(encoder, head, crop)
    if blocks is None or score is None:
        return None
    attention, gradients = _with_gradients(blocks, score)
    return _on_crop(relevance(attention, gradients), encoder, side=crop.shape[0])


def rollout_map(crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead) -> np.ndarray | None:
    """Attention rollout to the class token, on the same scale; `head` is not used.

    Does not show: whether the attended regions count for or against a forgery.
    """
    import torch

    if not isinstance(encoder, GradientEncoder):
        return None
    blocks = attention_blocks(encoder.model)
    if blocks is None:
        return None
    with torch.inference_mode(), record_attention(blocks) as attention:
        encoder.forward(encoder.preprocess([crop]))
    return _on_crop(rollout(attention), encoder, side=crop.shape[0])


def rollout(attention: "Sequence[torch.Tensor]") -> np.ndarray:
    """Attention of each block (heads, t, t) to its rollout from the other tokens (t-1,).

    The class token's row. A block's matrix is half the mean over heads and half the identity, for
    the residual connection.
    """
    import torch

    flow = torch.eye(attention[0].shape[-1])
    for weights in attention:
        mixed = 0.5 * weights.detach().float().mean(dim=0).cpu() + 0.5 * torch.eye(len(flow))
        flow = (mixed / mixed.sum(dim=-1, keepdim=True)) @ flow
    values: np.ndarray = flow[0, 1:].numpy()
    return values


def relevance(
    attention: "Sequence[torch.Tensor]", gradients: "Sequence[torch.Tensor]"
) -> np.ndarray:
    """Attention and the score's gradients, each (heads, t, t), to relevance (t-1,) ≥ 0.

    R starts as the identity; each block adds the mean over heads of (gradient × attention)⁺ times
    R. The class token's row, without itself, is the relevance.
    """
    import torch

    flow = torch.eye(attention[0].shape[-1])
    for weights, gradient in zip(attention, gradients, strict=True):
        useful = (gradient * weights).detach().float().clamp(min=0).mean(dim=0).cpu()
        flow = flow + useful @ flow
    values: np.ndarray = flow[0, 1:].numpy()
    return values


def attention_blocks(model: "torch.nn.Module") -> "list[torch.nn.MultiheadAttention] | None":
    """The self-attention modules of an open_clip ViT in order; None for any other tower.

    A tower without class-token pooling is not supported: its rows have a different meaning.
    """
    from torch import nn

    visual = getattr(model, "visual", None)
    if getattr(visual, "pool_type", None) != "tok" or getattr(visual, "attn_pool", None):
        return None
    blocks: Any = getattr(getattr(visual, "transformer", None), "resblocks", ())
    found = [getattr(block, "attn", None) for block in blocks]
    known = [it for it in found if isinstance(it, nn.MultiheadAttention)]
    return known if known and len(known) == len(found) else None


@contextmanager
def record_attention(
    blocks: "Sequence[torch.nn.MultiheadAttention]",
) -> "Iterator[list[torch.Tensor]]":
    """While active, a forward pass of one image fills the list: (heads, t, t) per block.

    Only passes in this thread count: the encoder may be indexing in another one.
    """
    seen: list[torch.Tensor] = []
    handles = [block.register_forward_hook(_recomputing(seen)) for block in blocks]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def self_attention(
    module: "torch.nn.MultiheadAttention", tokens: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Self-attention (t, d) -> its output (t, d) and weights (heads, t, t), both in the graph.

    softmax(q kᵀ / √d_head) v, like `nn.MultiheadAttention` with one matrix for q, k and v.
    """
    from torch.nn.functional import linear

    heads, width = module.num_heads, module.head_dim
    joint = linear(tokens, module.in_proj_weight, module.in_proj_bias)
    queries, keys, values = joint.view(len(tokens), 3, heads, width).permute(1, 2, 0, 3)
    weights = (queries @ keys.transpose(1, 2) * width**-0.5).softmax(dim=-1)
    return module.out_proj((weights @ values).transpose(0, 1).flatten(1)), weights


def _recomputing(seen: "list[torch.Tensor]") -> Callable[..., Any]:
    ours = threading.get_ident()

    def hook(module: Any, given: tuple[Any, ...], output: Any) -> Any:
        if threading.get_ident() != ours:
            return None
        across = 0 if module.batch_first else 1
        made, weights = self_attention(module, given[0].squeeze(across))
        seen.append(weights)
        return made.unsqueeze(across), output[1]

    return hook


def _with_gradients(
    blocks: "Sequence[torch.nn.MultiheadAttention]", score: "Callable[[], torch.Tensor]"
) -> "tuple[list[torch.Tensor], tuple[torch.Tensor, ...]]":
    import torch

    with torch.enable_grad(), record_attention(blocks) as attention:
        value = score()
    return attention, torch.autograd.grad(value, attention)


def _on_crop(values: np.ndarray, encoder: GradientEncoder, *, side: int) -> np.ndarray:
    visual: Any = encoder.model.visual
    return upsample_map(relative_excess(values.reshape(visual.grid_size)), side=side)
