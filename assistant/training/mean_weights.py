"""Average the weights of two exported runs of the pocket VLM (model soup).

    python -m assistant.training.mean_weights RUN/vlm OTHER/vlm OUT

For a run that started from the end of the other: their mean forgets less than the later run alone
(Wortsman et al., model soups, 2022). Configuration and tokenizer are the second run's.
"""

import argparse
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

WEIGHTS = "model.safetensors"


def average_weights(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """Average tensors of equal names and shapes in float32; the result has the second's dtype."""
    if first.keys() != second.keys():
        raise ValueError("the runs have different weights")
    return {
        name: ((first[name].float() + tensor.float()) / 2).to(tensor.dtype).contiguous()
        for name, tensor in second.items()
    }


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("first", "second", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    first, second = (load_file(folder / WEIGHTS) for folder in (given.first, given.second))
    with safe_open(given.second / WEIGHTS, "pt") as file:
        metadata = file.metadata()
    shutil.copytree(given.second, given.out)
    save_file(average_weights(first, second), given.out / WEIGHTS, metadata=metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
