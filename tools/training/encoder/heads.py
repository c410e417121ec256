"""Fit the linear heads and neighbour banks of UniFD on the encoder's features.

    python -m tools.training.encoder.heads POOL --encoder tools/checkpoints/weights/encoder \
        --out tools/checkpoints/weights/heads

Face heads use aligned crops of LFW's forgeries and of DFDC; image heads use whole LFW photos. Only
training people and originals are used. Half of the pictures are degraded as in the encoder's
training, so that a head learns from both clean and degraded pictures.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tools.detectors.clip_heads.unifd_linear import UnifdLinear
from tools.detectors.clip_heads.unifd_neighbours import UnifdNeighbours, l2_normalise_rows
from tools.encoder.clip import Encoder
from tools.faces.alignment import aligned_crop
from tools.training.data.forgery_batches import Degradation, Pool
from tools.training.data.forgery_pool import through_jpeg


def pictures(
    pool: Pool, encoder: Encoder, *, whole: bool, count: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Authentic and forged inputs of randomly drawn pairs, preprocessed as for the detectors."""
    rng = np.random.default_rng(seed)
    size = encoder.image_size
    for index in rng.permutation(pool.refresh())[:count]:
        real, fake, _, notes = pool.pair(int(index))
        if whole:
            crops = [np.array(real), np.array(fake)]
        else:
            points = np.array(notes["keypoints"])
            crops = [
                aligned_crop(np.array(one), points, size=size, margin=encoder.face_margin)
                for one in (real, fake)
            ]
        if not whole and rng.random() < 0.5:
            crops = Degradation(rng)(*crops)
        elif rng.random() < 0.5:
            quality = int(rng.integers(70, 97))
            crops = [through_jpeg(crop, quality) for crop in crops]
        yield crops[0], crops[1]


def features_of(
    pool: Pool, encoder: Encoder, *, whole: bool, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) of authentic and of forged pictures; equal rows belong to one pair."""
    real, fake = [], []
    batch: list[tuple[np.ndarray, np.ndarray]] = []
    for pair in pictures(pool, encoder, whole=whole, count=count, seed=seed):
        batch.append(pair)
        if len(batch) == 32:
            real.append(encoder.encode_images([one for one, _ in batch]))
            fake.append(encoder.encode_images([one for _, one in batch]))
            batch = []
    return np.concatenate(real), np.concatenate(fake)


def fit_linear(real: np.ndarray, fake: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression (w, b) on unscaled features; `weights` (n,) per pair."""
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([real, fake]).astype(np.float64)
    labels = np.repeat([0, 1], [len(real), len(fake)])
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = LogisticRegression(C=0.03, max_iter=500)
    model.fit((features - mean) / spread, labels, np.concatenate([weights, weights]))
    # The standardisation is folded into the weights: the detector takes unscaled features.
    weight = model.coef_[0] / spread
    return weight, float(model.intercept_[0] - weight @ mean)


def main() -> None:
    """Command line; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument("--out", type=Path, default=Path("tools/checkpoints/weights/heads"))
    parser.add_argument("--count", type=int, default=4000, help="pairs per set")
    parser.add_argument("--bank", type=int, default=2000, help="pairs in a bank")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    encoder = Encoder.load(given.encoder)
    pools = {"lfw": Pool(given.pool / "lfw"), "dfdc": Pool(given.pool / "dfdc" / "train")}
    for inputs in ("face", "image"):
        used = ["lfw", "dfdc"] if inputs == "face" else ["lfw"]
        found = [
            features_of(pools[name], encoder, whole=inputs == "image", count=given.count, seed=1)
            for name in used
        ]
        # Every set has the same total weight, regardless of its size.
        weights = np.concatenate([np.full(len(real), 1000 / len(real)) for real, _ in found])
        real = np.concatenate([real for real, _ in found])
        fake = np.concatenate([fake for _, fake in found])
        weight, bias = fit_linear(real, fake, weights)
        linear = UnifdLinear(weight, bias, inputs)
        note = {"preprocessing": "resize", "inputs": inputs, "sets": " ".join(used)}
        note |= {"face_margin": str(encoder.face_margin), "pairs": str(len(real))}
        linear.save(
            given.out / f"{inputs}_linear.safetensors", encoder_sha256=encoder.sha256, **note
        )
        kept = np.random.default_rng(2).permutation(len(real))[: given.bank]
        bank = UnifdNeighbours(l2_normalise_rows(real[kept]), l2_normalise_rows(fake[kept]), inputs)
        bank.save(given.out / f"{inputs}_bank.safetensors", encoder_sha256=encoder.sha256, **note)
        told = np.mean(linear.score(fake) > linear.score(real))
        print(f"{inputs}: {len(real)} pairs, in {100 * told:.1f} % the forgery scores higher")


if __name__ == "__main__":
    main()
