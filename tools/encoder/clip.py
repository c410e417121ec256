"""CLIP image and text features from an open_clip checkpoint in a local folder.

The folder holds `open_clip_config.json` and `model.safetensors`; nothing is downloaded from a hub
and no pickle is read. The config is open_clip's (`model_cfg`, `preprocess_cfg`) plus our
`face_margin`, the margin of the face crops that the checkpoint was trained on. Instead of
`model_cfg` it may name an open_clip architecture (`model_name`) and its weights (`pretrained_tag`);
then the activation is checked, see `_known_architecture`.
"""

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.checkpoints.table import CONFIG
from tools.encoder.preprocessing import Mode, Preprocessing
from tools.errors import SetupError
from tools.media.hashing import combined_sha256

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
FACE_MARGIN = 1.3
POCKET_TOWER = "unmask_pocket_tower"
"""Our own image tower's name in a config (`tools.encoder.pocket_tower`)."""

log = logging.getLogger(__name__)


class Encoder:
    """A frozen open_clip model with the preprocessing it was trained with; created by `load`."""

    def __init__(
        self,
        folder: Path,
        model: "torch.nn.Module",
        *,
        preprocessing: Preprocessing,
        face_margin: float,
        device: "torch.device",
    ) -> None:
        self.folder = folder
        self.model = model
        self.preprocessing = preprocessing
        self.face_margin = face_margin
        self.device = device

    @classmethod
    def load(
        cls, folder: Path, *, threads: int | None = None, device: str | None = None
    ) -> "Encoder":
        """Load the checkpoint of a folder, on the GPU if there is one.

        `threads` limits torch's threads in the whole process. Raises SetupError if the folder has
        no such checkpoint, if weights and architecture do not match, or if the architecture's
        activation is not the one the weights need.
        """
        import torch

        config = read_config(folder)
        if threads is not None:
            torch.set_num_threads(threads)
        target = torch.device(device) if device else best_device()
        model = (_read_image_half if _is_pocket(config) else _read_model)(folder, config, target)
        log.info("encoder loaded", extra={"device": str(target)})
        return cls(
            folder,
            model,
            preprocessing=Preprocessing.from_config(
                config.get("preprocess_cfg", {}), size=_input_size(config)
            ),
            face_margin=float(config.get("face_margin", FACE_MARGIN)),
            device=target,
        )

    @cached_property
    def dimension(self) -> int:
        """Dimension d of image and text features."""
        return int(model_config(read_config(self.folder))["embed_dim"])

    @property
    def image_size(self) -> int:
        """Side of the square input in px; the size for face crops."""
        return self.preprocessing.size

    @cached_property
    def sha256(self) -> str:
        """Identifies this checkpoint (config and weights) in galleries and head files."""
        return combined_sha256([self.folder / CONFIG, self.folder / WEIGHTS])

    def encode_images(
        self, images: Sequence[np.ndarray], *, mode: Mode = "resize", batch_size: int = 16
    ) -> np.ndarray:
        """Encode images (h, w, 3) uint8 RGB to features (n, d) float32, *not* normalised.

        UniFD's linear head also uses a feature's norm, so it is kept. Batches above 16 exceed a
        CPU's caches and take longer per image.
        """
        import torch

        features = np.empty((len(images), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                rows = slice(start, start + batch_size)
                features[rows] = self.forward(self.preprocess(images[rows], mode=mode)).cpu()
        return features

    def encode_texts(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts to features (n, d) float32 of unit length; truncated to the context."""
        import torch

        features = np.empty((len(texts), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                rows = slice(start, start + batch_size)
                tokens = self._tokenizer(list(texts[rows])).to(self.device)
                encoded = self._whole_model.encode_text(tokens, normalize=True)
                features[rows] = encoded.float().cpu()
        return features

    def preprocess(self, images: Sequence[np.ndarray], *, mode: Mode = "resize") -> "torch.Tensor":
        """Preprocess images to normalised input (n, 3, s, s) float32 on the encoder's device."""
        import torch

        batch = self.preprocessing.batch(images, mode=mode)
        moved = batch.to(self.device, memory_format=torch.channels_last)
        return self.preprocessing.normalise(moved)

    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Features (n, d) of an input from `preprocess`; differentiable, for localisers."""
        features: torch.Tensor = self.model.encode_image(batch)  # type: ignore[operator]
        return features.float()

    def tokens(self, texts: Sequence[str]) -> "torch.Tensor":
        """Token ids (n, context length) of texts, on the encoder's device."""
        tokens: torch.Tensor = self._tokenizer(list(texts)).to(self.device)
        return tokens

    def token_embeddings(self, tokens: "torch.Tensor") -> "torch.Tensor":
        """Embed token ids (n, l) to the text tower's input (n, l, w), w being its width."""
        embedded: torch.Tensor = self._text_tower.token_embedding(tokens)
        return embedded

    def encode_embeddings(self, embedded: "torch.Tensor", tokens: "torch.Tensor") -> "torch.Tensor":
        """Text features (n, d), not normalised, of token embeddings (n, l, w); differentiable.

        Same computation as `encode_texts`, for texts in which some tokens are replaced by learned
        or computed vectors. `tokens` (n, l) mark the end of each text. Raises SetupError if the
        text tower pools differently from CLIP's.
        """
        import torch

        tower = self._text_tower
        states = tower.transformer(embedded + tower.positional_embedding, attn_mask=tower.attn_mask)
        states = tower.ln_final(states)
        # The end-of-text token has the highest id.
        rows = torch.arange(len(states), device=states.device)
        ends = states[rows, tokens.argmax(dim=1)]
        projection = tower.text_projection
        features: torch.Tensor = projection(ends) if callable(projection) else ends @ projection
        return features.float()

    @property
    def text_width(self) -> int:
        """Width w of a token embedding."""
        return int(self._text_tower.token_embedding.embedding_dim)

    @property
    def logit_scale(self) -> float:
        """Factor applied to cosines before a softmax; 100 for OpenAI's CLIP."""
        return float(self._whole_model.logit_scale.exp())

    @cached_property
    def _whole_model(self) -> Any:
        """The model with its text tower, which is read when first needed."""
        if hasattr(self.model, "logit_scale"):
            return self.model
        import torch

        with torch.inference_mode(False):  # prompts are tuned through it
            return _read_model(self.folder, read_config(self.folder), self.device)

    @cached_property
    def _text_tower(self) -> Any:
        tower: Any = getattr(self._whole_model, "text", self._whole_model)
        pooled = getattr(tower, "pool_type", None) or getattr(tower, "text_pool_type", None)
        plain = getattr(tower, "cls_emb", None) is None and not getattr(tower, "use_pad_mask", 0)
        if pooled != "argmax" or not plain or tower.text_projection is None:
            raise SetupError(
                f"the text tower in {self.folder} is not CLIP's: prompts cannot be tuned"
            )
        return tower

    def evidence_map(self, image: np.ndarray, *, size: int | None = None) -> np.ndarray | None:
        """The image tower's own forgery map: (s, s) float32 logits, s = `image_size`.

        `image` is (h, w, 3) uint8 RGB, resized to `size` px if given, otherwise to `image_size`.
        None if the architecture has no such map; only our pocket tower
        (`tools.encoder.pocket_tower`) has one, and it accepts any size.
        """
        import torch

        trunk = getattr(getattr(self.model, "visual", None), "trunk", None)
        evidence = getattr(trunk, "evidence", None)
        if evidence is None:
            return None
        fitted = replace(self.preprocessing, size=size or self.image_size)
        with torch.inference_mode():
            looked_at = fitted.normalise(fitted.batch([image]).to(self.device))
            cells = evidence(looked_at)[:, None].float()
            full = torch.nn.functional.interpolate(cells, size=self.image_size, mode="bilinear")
        logits: np.ndarray = full[0, 0].cpu().numpy()
        return logits

    @cached_property
    def _tokenizer(self) -> Any:
        import open_clip

        text = model_config(read_config(self.folder))["text_cfg"]
        return open_clip.SimpleTokenizer(context_length=text.get("context_length", 77))


def _is_pocket(config: dict[str, Any]) -> bool:
    """Whether the image tower is our own, which can be built without open_clip."""
    tower = config.get("model_cfg", {}).get("vision_cfg", {})
    return (tower.get("timm_model_name"), tower.get("timm_proj")) == (POCKET_TOWER, "linear")


def _read_image_half(
    folder: Path, config: dict[str, Any], device: "torch.device"
) -> "torch.nn.Module":
    from safetensors.torch import load_file

    from tools.encoder.pocket_tower import PocketClip

    model = PocketClip(int(config["model_cfg"]["embed_dim"]))
    with _explained(folder):
        state = load_file(_existing(folder / WEIGHTS))
        model.load_state_dict({key: it for key, it in state.items() if key.startswith("visual.")})
    return _ready(model, device)


def _read_model(folder: Path, config: dict[str, Any], device: "torch.device") -> "torch.nn.Module":
    import open_clip

    model = build_model(config)
    with _explained(folder):
        open_clip.load_checkpoint(model, str(_existing(folder / WEIGHTS)), strict=True)
    return _ready(model, device)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turns errors of weights that do not fit into one line that says what to do."""
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise SetupError(
            f"{folder / WEIGHTS} does not match {CONFIG}: {reason}; see `unmask models verify`"
        ) from error


def _ready(model: "torch.nn.Module", device: "torch.device") -> "torch.nn.Module":
    import torch

    # Channels last: convolutions are about 10 % faster on a CPU.
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last).to(device)


def build_model(config: dict[str, Any]) -> "torch.nn.Module":
    """Build a config's architecture with random weights, as for the start of a training."""
    import open_clip

    import tools.encoder.timm_registration  # noqa: F401 - so that open_clip knows our own tower

    wanted = model_config(config)
    custom_text = wanted.pop("custom_text", False)
    wanted["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in wanted["text_cfg"]:
        raise SetupError("text towers from a hub are not supported")
    architecture = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    model: torch.nn.Module = architecture(**wanted)
    return model


def build_image_tower(
    *, image_size: int, patch_size: int, width: int, layers: int, hidden: int
) -> "torch.nn.Module":
    """OpenAI's ViT of any size with random weights; outputs its class token (n, width).

    Like transformers' `CLIPVisionModel`: 64-dimensional heads, QuickGELU, an MLP of `hidden` units,
    a final LayerNorm, and no projection to the text space.
    """
    from open_clip.transformer import QuickGELU, VisionTransformer

    tower: torch.nn.Module = VisionTransformer(
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        layers=layers,
        heads=width // 64,
        mlp_ratio=hidden / width,
        act_layer=QuickGELU,
    )
    tower.register_parameter("proj", None)
    return tower


def model_config(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of open_clip's `model_cfg` from a config."""
    if "model_name" in config:
        return _known_architecture(config["model_name"], config.get("pretrained_tag"))
    if "model_cfg" not in config:
        raise SetupError(f"{CONFIG} has neither 'model_cfg' nor 'model_name'")
    copy: dict[str, Any] = json.loads(json.dumps(config["model_cfg"]))
    return copy


def read_config(folder: Path) -> dict[str, Any]:
    """Read a checkpoint folder's `open_clip_config.json`. Raises SetupError if it is invalid."""
    path = _existing(folder / CONFIG)
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SetupError(f"{path} is not JSON: {error}; see `unmask models verify`") from error
    if not isinstance(config, dict):
        raise SetupError(f"{path} is not a JSON object; see `unmask models verify`")
    return config


def best_device() -> "torch.device":
    """The encoder's device: CUDA if available, otherwise CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _known_architecture(name: str, tag: str | None) -> dict[str, Any]:
    """One of open_clip's architectures, checked against the weights it is used with.

    OpenAI's weights need the QuickGELU activation. Since 2.29 open_clip builds plain GELU for
    `ViT-L-14` with `openai` and only warns; every feature would be slightly wrong.
    """
    import open_clip

    config: dict[str, Any] | None = open_clip.get_model_config(name)
    if config is None:
        raise SetupError(f"open_clip knows no architecture {name!r}")
    if tag is None:
        return config
    pretrained = open_clip.get_pretrained_cfg(name, tag)
    if not pretrained:
        raise SetupError(f"open_clip knows no weights {tag!r} for {name!r}")
    if bool(pretrained.get("quick_gelu")) != bool(config.get("quick_gelu")):
        raise SetupError(
            f"QuickGELU mismatch: the weights {tag!r} and the architecture {name!r} use different "
            f"activations; try {name}-quickgelu"
        )
    return config


def _input_size(config: dict[str, Any]) -> int:
    size = model_config(config)["vision_cfg"].get("image_size", 224)
    if not isinstance(size, int):
        raise SetupError(f"the input must be square, not {size!r}")
    return size


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SetupError(f"{path} is missing; see `unmask models verify`")
    return path
