"""Feature embeddings in 2D: t-SNE and UMAP, coloured by real/fake and by person.

Neighbours in these plots tend to be neighbours among the features. Distances between clusters,
their sizes and their densities mean nothing, and clusters appear in noise too. They are
illustrations, not evidence.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from evals.plots.saving import save
from evals.plots.style import FAKE, GREY, KINDS, REAL, SERIES, class_counts_label, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# With fewer points, t-SNE and UMAP arrange noise; the first principal components are at least a
# projection.
FEWEST = 10
MOST = 3000
_COMPONENTS = 50


def tsne(
    folder: Path | None, name: str, features: ArrayLike, labels: ArrayLike, *,
    title: str, caption: str = "", persons: Sequence[str | None] | None = None,
    selected: int = 7, what: str = "person", kinds: tuple[str, str] = KINDS, seed: int = 0,
) -> None:  # fmt: skip
    """t-SNE (van der Maaten & Hinton 2008) of features (n, d), labels (n,) True for fake.

    With `persons` (n,) a second panel shows the `selected` (at most 7) persons with the most
    samples in colours and the rest in grey; `what` names the groups if they are not persons. Rows
    with NaN are left out and counted in the caption; at most 3,000 random rows are drawn. Only
    directions count, not lengths.
    """
    _scatter(folder, name, features, labels, "t-SNE", title=title, caption=caption,
             persons=persons, selected=selected, what=what, kinds=kinds, seed=seed)  # fmt: skip


def umap(
    folder: Path | None, name: str, features: ArrayLike, labels: ArrayLike, *,
    title: str, caption: str = "", persons: Sequence[str | None] | None = None,
    selected: int = 7, what: str = "person", kinds: tuple[str, str] = KINDS, seed: int = 0,
) -> None:  # fmt: skip
    """The same with UMAP (McInnes et al. 2018), which preserves more of the coarse structure."""
    _scatter(folder, name, features, labels, "UMAP", title=title, caption=caption,
             persons=persons, selected=selected, what=what, kinds=kinds, seed=seed)  # fmt: skip


def _scatter(
    folder: Path | None, name: str, features: ArrayLike, labels: ArrayLike, method: str, *,
    title: str, caption: str, persons: Sequence[str | None] | None, selected: int,
    what: str, kinds: tuple[str, str], seed: int,
) -> None:  # fmt: skip
    if folder is None:
        return
    values, flags = np.asarray(features, np.float32), np.asarray(labels, bool)
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    kept = known
    if len(known) > MOST:
        kept = np.sort(np.random.default_rng(seed).choice(known, MOST, replace=False))
    places, note = project_2d(values[kept], method, seed=seed)
    fakes = flags[kept]
    named = None if persons is None else [persons[int(row)] for row in kept]

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, 1 if named is None else 2, squeeze=False).ravel()
        _by_kind(panels[0], places, fakes, kinds)
        if named is not None:
            _by_person(panels[1], places, fakes, named, selected=selected, what=what, kinds=kinds)
        for axes in panels:
            axes.set(xticks=[], yticks=[], xlabel=f"{note} 1", ylabel=f"{note} 2")
            axes.grid(visible=False)

    notes = [
        "" if note == method else f"Only {len(kept)} points: their first principal components.",
        f"{len(values) - len(known)} without features are left out." * (len(known) < len(values)),
        f"{MOST:,} of {len(known):,} samples, drawn at random." * (len(kept) < len(known)),
        "Distances between clusters and their sizes mean nothing.",
    ]
    save(folder, name, draw, title=f"{title} · {class_counts_label(fakes, kinds)}",
         caption=" ".join(part for part in [caption, *notes] if part),
         size=(6.4, 5.4) if named is None else (12, 5.8))  # fmt: skip


def project_2d(features: np.ndarray, method: str, *, seed: int = 0) -> tuple[np.ndarray, str]:
    """Coordinates (n, 2) of features (n, d), and the method used: PCA for fewer than 10."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(lengths, 1e-12)
    if len(unit) < FEWEST or np.ptp(unit, axis=0).max(initial=0) == 0:
        return _principal(unit, 2), "principal component"
    compact = _principal(unit, min(_COMPONENTS, *unit.shape))
    return (_tsne if method == "t-SNE" else _umap)(compact, seed), method


def _principal(features: np.ndarray, components: int) -> np.ndarray:
    centred = features - features.mean(axis=0) if len(features) else features
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * scale)[:, :components]
    missing = max(0, 2 - found.shape[1])
    return np.pad(found, ((0, 0), (0, missing)))


def _tsne(features: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    places: np.ndarray = model.fit_transform(features)
    return places


def _umap(features: np.ndarray, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        # It warns about missing TensorFlow, needed only for an unused variant.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        from umap import UMAP

    # A fixed seed forces one thread; requesting one avoids the warning.
    model = UMAP(
        n_neighbors=min(15, len(features) - 1), init="pca", random_state=seed, n_jobs=1
    )  # fmt: skip
    places: np.ndarray = model.fit_transform(features)
    return places


def _by_kind(axes: "Axes", places: np.ndarray, fakes: np.ndarray, kinds: tuple[str, str]) -> None:
    for flag, colour, marker in ((False, REAL, "o"), (True, FAKE, "^")):
        chosen = places[fakes == flag]
        axes.scatter(
            chosen[:, 0], chosen[:, 1], c=colour, marker=marker, s=_area(len(places)), alpha=0.65,
            edgecolors="white", linewidths=0.3, label=f"{kinds[flag]} ({len(chosen):,})",
        )  # fmt: skip
    axes.set_title(f"by {kinds[0]} and {kinds[1]}")
    _legend_below(axes, columns=2)


def _by_person(
    axes: "Axes", places: np.ndarray, fakes: np.ndarray, persons: Sequence[str | None],
    *, selected: int, what: str, kinds: tuple[str, str],
) -> None:  # fmt: skip
    counts = Counter(person for person in persons if person)
    # Most samples first; ties are broken by name, so that the choice is deterministic.
    order = sorted(counts, key=lambda person: (-counts[person], person))
    chosen = order[: min(selected, len(SERIES))]
    named = np.array([person or "" for person in persons], object)
    rest = ~np.isin(named.astype(str), chosen)
    groups = [("all others", rest, GREY, 0.3)]
    groups += [
        (person, named == person, colour, 0.85)
        for person, colour in zip(chosen, SERIES, strict=False)
    ]
    for person, members, colour, alpha in groups:
        for flag, marker in ((False, "o"), (True, "^")):
            spots = places[members & (fakes == flag)]
            axes.scatter(
                spots[:, 0], spots[:, 1], c=colour, marker=marker, alpha=alpha,
                s=_area(len(places)), edgecolors="white", linewidths=0.3,
            )  # fmt: skip
        axes.scatter([], [], c=colour, marker="s", s=40,
                     label=f"{short(person, 24)} ({int(members.sum()):,})")  # fmt: skip
    axes.set_title(f"by {what}, {len(chosen)} of {len(counts):,}; ○ {kinds[0]}, △ {kinds[1]}")
    _legend_below(axes, columns=3)


def _legend_below(axes: "Axes", *, columns: int) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=columns, handletextpad=0.2,
                columnspacing=1.0)  # fmt: skip


def _area(points: int) -> float:
    """Marker area in square points: smaller for more points."""
    return float(np.clip(12000 / max(points, 1), 12, 45))
