"""The image tower of OpenAI's CLIP for one purpose: the states after every block, quickly.

The arithmetic is that of transformers' `CLIPVisionModel` (Radford et al., 2021), from its weights
and config; importing transformers takes longer than looking at ten faces. Queries, keys and values
of a block are one matrix product.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_PREFIX = "vision_model."


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A weight (out, in) or (width,), and its bias."""

    weight: Tensor
    bias: Tensor

    def linear(self, states: Tensor) -> Tensor:
        """A linear layer."""
        return functional.linear(states, self.weight, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One transformer block: normalise, attend, normalise, two-layer perceptron."""

    first_norm: Affine
    attention_in: Affine
    attention_out: Affine
    second_norm: Affine
    wider: Affine
    narrower: Affine


@dataclass(frozen=True, slots=True, eq=False)
class VisionTransformer:
    """A CLIP image tower with QuickGELU and square patches, in the type of its weights."""

    patches: Tensor
    class_token: Tensor
    positions: Tensor
    input_norm: Affine
    blocks: tuple[Block, ...]
    heads: int
    epsilon: float

    @classmethod
    def build(
        cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor], *, dtype: torch.dtype
    ) -> "VisionTransformer":
        """From a transformers config and weights with its names.

        Raises KeyError for a missing weight or entry, and ValueError for another activation.
        """
        if config.get("hidden_act", "quick_gelu") != "quick_gelu":
            raise ValueError(f"the activation is {config['hidden_act']}, not quick_gelu")

        def tensor(name: str) -> Tensor:
            return tensors[_PREFIX + name].to(dtype)

        def layer(*names: str) -> Affine:
            weights, biases = (
                [tensor(f"{name}.{kind}") for name in names] for kind in ("weight", "bias")
            )
            return Affine(torch.cat(weights), torch.cat(biases))

        return cls(
            patches=tensor("embeddings.patch_embedding.weight"),
            class_token=tensor("embeddings.class_embedding"),
            positions=tensor("embeddings.position_embedding.weight"),
            input_norm=layer("pre_layrnorm"),
            blocks=tuple(
                Block(
                    first_norm=layer(f"{at}.layer_norm1"),
                    attention_in=layer(*(f"{at}.self_attn.{part}_proj" for part in "qkv")),
                    attention_out=layer(f"{at}.self_attn.out_proj"),
                    second_norm=layer(f"{at}.layer_norm2"),
                    wider=layer(f"{at}.mlp.fc1"),
                    narrower=layer(f"{at}.mlp.fc2"),
                )
                for at in (f"encoder.layers.{row}" for row in range(config["num_hidden_layers"]))
            ),
            heads=int(config["num_attention_heads"]),
            epsilon=float(config.get("layer_norm_eps", 1e-5)),
        )

    def states(self, images: Tensor) -> Iterator[Tensor]:
        """The states (n, 1 + patches, width) after each block, for normalised images (n, 3, s, s).

        The class token is the first.
        """
        cells = functional.conv2d(images, self.patches, stride=self.patches.shape[-1])
        patches = cells.flatten(2).transpose(1, 2)
        token = self.class_token.expand(len(images), 1, -1)
        placed = torch.cat([token, patches], dim=1) + self.positions
        yield from self.continued(self._norm(placed, self.input_norm), self.blocks)

    def continued(self, states: Tensor, blocks: Sequence[Block]) -> Iterator[Tensor]:
        """The states (n, 1 + patches, width) after each of further `blocks`; differentiable."""
        for block in blocks:
            states = states + self._attended(self._norm(states, block.first_norm), block)
            wide = block.wider.linear(self._norm(states, block.second_norm))
            states = states + block.narrower.linear(wide * torch.sigmoid(1.702 * wide))
            yield states

    def retuned(self, start: int, norms: Sequence[Tensor]) -> tuple[Block, ...]:
        """The blocks after the first `start`, sharing all weights but those of their norms.

        `norms` are four (width,) a block: weight and bias of the first norm, then of the second.
        """
        blocks = self.blocks[start:]
        fours = zip(*(iter(norms),) * 4, strict=True)
        return tuple(
            replace(block, first_norm=Affine(*four[:2]), second_norm=Affine(*four[2:]))
            for block, four in zip(blocks, fours, strict=True)
        )

    def _norm(self, states: Tensor, norm: Affine) -> Tensor:
        return functional.layer_norm(
            states, states.shape[-1:], norm.weight, norm.bias, self.epsilon
        )

    def _attended(self, states: Tensor, block: Block) -> Tensor:
        count, length, width = states.shape
        parts = block.attention_in.linear(states).view(count, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        return block.attention_out.linear(mixed.transpose(1, 2).reshape(count, length, width))
