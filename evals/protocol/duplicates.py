"""Near-duplicate photos, which must not be in the gallery of their query."""

from collections.abc import Callable

from evals.protocol.measured import MeasuredDataset, load_models
from tools.media.pictures.perceptual_hash import hash_distance


def near_duplicates(measured: MeasuredDataset) -> Callable[[int, int], bool]:
    """Whether two rows show nearly the same photograph of a face, by the verdict rule's measure."""
    rule = load_models().rule
    most = 0 if rule is None else rule.copy_bits
    hashes = [face.face_hash if face else None for face in measured.faces]

    def alike(first: int, second: int) -> bool:
        one, other = hashes[first], hashes[second]
        return one is not None and other is not None and hash_distance(one, other) <= most

    return alike
