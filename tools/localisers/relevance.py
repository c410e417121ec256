"""Which patches a CLIP ViT attended to, and which of them spoke for forgery.

Rollout: Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. Relevance:
Chefer, Gur & Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and
Encoder-Decoder Transformers", ICCV 2021, eq. 5 and 6 for self-attention.

open_clip's blocks ask their attention for no weights, and PyTorch's own are no part of the graph
that made the output, so they have no gradient. Here each block's attention is computed again from
queries and keys while a map is made, and its output takes the place of PyTorch's, which it equals.
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

    `crop` (s, s, 3) uint8 RGB is the aligned face. 0 is a place as relevant as the mean, 1 one
    twice as relevant, -1 one of no relevance. None when the tower is no CLIP ViT that pools its
    class token, or the head is not linear.

    Does not show: where a face was forged, nor whether: only what raised this detector's score
    above what it would be without, relative to the rest of the same face.
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
    """Where the class token's attention came from, by the same scale; `head` has no part in it.

    Does not show: what the attended places say, for or against a forgery.
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
    """Attention of each block (heads, t, t) to what reaches the class token from the rest (t-1,).

    A block's matrix is half its heads' mean and half the identity, for the shortcut around it.
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
    """Attention and the score's gradients to it, each (heads, t, t), to relevance (t-1,) ≥ 0.

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
    """The self-attentions of an open_clip ViT in order; None for any other tower.

    A tower that pools otherwise than by its class token is another: its rows mean something else.
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
    """While it lasts, a forward pass of one picture fills the list: (heads, t, t) of each block.

    Only passes of this thread count: the encoder may be indexing in another one.
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
    """Self-attention (t, d) -> its output (t, d) and its weights (heads, t, t), both in the graph.

    softmax(q kᵀ / √d_head) v, as `nn.MultiheadAttention` with one matrix for q, k and v.
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
