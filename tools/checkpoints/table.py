"""Table of checkpoints: the parts of each profile, with source, hashes, licence and preprocessing.

The sha256 of buffalo_l, OpenAI's ViT-L/14 and Qwen3-VL are those pinned by several independent
public projects; that of UniFD's head was measured on the file itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

WEIGHTS_DIR = Path(__file__).parent / "weights"
"""The shipped weights, one folder per part."""
CHAT_WEIGHTS_DIR = Path(__file__).parents[2] / "assistant" / "chat_model" / "weights"
"""The chat model's weights lie beside the code that runs it."""

Component = Literal[
    "faces", "encoder", "heads", "detectors", "embedders", "verdict", "vlm", "reader", "looking"
]
CHAT_COMPONENTS: tuple[Component, ...] = ("vlm", "reader", "looking")
"""Parts whose shipped weights belong to the chat."""
Profile = Literal["pocket", "full"]

CONFIG = "open_clip_config.json"
PUBLIC_HEAD = "fc_weights.pth"
PUBLIC_HEAD_SHA256 = "477100745713bcc957beb2b40859536859b6483fd6301b3b9293151b194c7847"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One row: a part of a profile.

    `files` maps names inside the checkpoint's folder to their sha256; for pocket rows it is None
    here and recorded in the manifest. `source` is the URL of the single file, of the zip archive
    that holds them all (with its `archive_sha256`), or of a folder (ending in "/", with the `sizes`
    of the files); for pocket it is the command that makes them. `generated_files` are small files
    that we write beside a download; `size_bytes` is the download size.
    """

    part: Component
    name: str
    profile: Profile
    source: str
    revision: str | None
    files: Mapping[str, str | None]
    license: str
    size_bytes: int | None
    preprocessing: str
    validated_on: str
    archive_sha256: str | None = None
    generated_files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    folder: str = ""
    sizes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


POCKET_LICENSE = "research and evaluation (trained on photographs for research; see the cards)"

POCKET_FACES = Checkpoint(
    part="faces",
    name="pocket faces",
    profile="pocket",
    source="python -m tools.training.faces.{detector,landmarks,distilled_embedder}",
    revision=None,
    files={"detection.onnx": None, "landmarks_68.onnx": None, "recognition.onnx": None},
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="whole image RGB; 192×192 landmark crop; 112×112 ArcFace alignment",
    validated_on="see weights/faces/CARD.md",
    folder="faces",
)
POCKET_ENCODER = Checkpoint(
    part="encoder",
    name="pocket encoder",
    profile="pocket",
    source="python -m tools.training.encoder.encoder",
    revision=None,
    files={CONFIG: None, "model.safetensors": None},
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="in open_clip_config.json; aligned face crop, margin 1.0",
    validated_on="see weights/encoder/CARD.md",
    folder="encoder",
)
POCKET_HEADS = Checkpoint(
    part="heads",
    name="pocket UniFD heads",
    profile="pocket",
    source="python -m tools.training.encoder.heads",
    revision=None,
    files={
        "face_linear.safetensors": None,
        "face_bank.safetensors": None,
        "image_linear.safetensors": None,
        "image_bank.safetensors": None,
    },
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="features of the pocket encoder",
    validated_on="see weights/heads/CARD.md",
    folder="heads",
)
SHIPPED_DETECTORS = (
    "clip_adapter",
    "coop",
    "gend",
    "linear_probe",
    "patches",
    "repdfd",
    "repdfd_query",
    "sbi_caddm",
)
"""Detectors shipped in addition to the heads, one folder each (`tools.detectors.folders`)."""
TOWER_HEADS = ("clip_manipulation", "clip_synthesis", "clip_tuned")
"""Shipped heads on the CLIP part of `unmask setup`; the verdict rule alone calibrates them.

It uses the last two; the first is where the tuning of `clip_tuned` began.
"""

POCKET_DETECTORS = Checkpoint(
    part="detectors",
    name="pocket detectors",
    profile="pocket",
    source="python -m tools.training.{tuned_detectors,artefacts,patch_head}",
    revision=None,
    files=dict.fromkeys(
        f"{name}/{file}"
        for name in (*SHIPPED_DETECTORS, *TOWER_HEADS)
        for file in ("detector.json", "model.safetensors", "calibration.json")
        if name in SHIPPED_DETECTORS or file != "calibration.json"
    ),
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="each says its own; see `unmask detectors`",
    validated_on="see weights/detectors/*/CARD.md",
    folder="detectors",
)
POCKET_EMBEDDERS = Checkpoint(
    part="embedders",
    name="pocket second embedder",
    profile="pocket",
    source="python -m tools.training.faces.further_embedder",
    revision=None,
    files={"second.onnx": None, "second.json": None},
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="112×112, the whole head around ArcFace's five points",
    validated_on="see weights/embedders/CARD.md",
    folder="embedders",
)
POCKET_VERDICT = Checkpoint(
    part="verdict",
    name="pocket calibration",
    profile="pocket",
    source="python -m tools.training.calibration.verdict",
    revision=None,
    files={"verdict.json": None},
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="scores of the pocket faces, encoder and heads",
    validated_on="see verdict.json",
)
POCKET_VLM = Checkpoint(
    part="vlm",
    name="pocket VLM",
    profile="pocket",
    source="python -m assistant.training.pocket_vlm",
    revision=None,
    files={
        "chat_template.jinja": None,
        "config.json": None,
        "generation_config.json": None,
        "model.safetensors": None,
        "processor_config.json": None,
        "tokenizer.json": None,
        "tokenizer_config.json": None,
        "unmask.json": None,
    },
    license="research and evaluation (trained on dialogues around LFW; see the card)",
    size_bytes=None,
    preprocessing="in processor_config.json; NF4 at loading",
    validated_on="see assistant/chat_model/weights/vlm/CARD.md",
    folder="vlm",
)
REQUEST_READER = Checkpoint(
    part="reader",
    name="request reader",
    profile="pocket",
    source="python -m assistant.training.reader.train",
    revision=None,
    files={"adapters.safetensors": None},
    license="Apache-2.0, like the language model of `unmask setup` that it adapts",
    size_bytes=None,
    preprocessing="the language model's tokenizer; at most 96 tokens",
    validated_on="see assistant/chat_model/weights/reader/CARD.md",
    folder="reader",
)
IMPRESSION_HEADS = Checkpoint(
    part="looking",
    name="impression heads",
    profile="pocket",
    source="python -m assistant.training.looking.train",
    revision=None,
    files={"heads.safetensors": None, "FIGURES.json": None},
    license=POCKET_LICENSE,
    size_bytes=None,
    preprocessing="224×224 views of the picture and the aligned face, CLIP mean and std",
    validated_on="see assistant/chat_model/weights/looking/CARD.md",
    folder="looking",
)

BUFFALO_L = Checkpoint(
    part="faces",
    name="buffalo_l",
    profile="full",
    source="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
    revision="v0.7",
    # Only the networks we use of the pack's five: no age or gender estimation.
    files={
        "det_10g.onnx": "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
        "1k3d68.onnx": "df5c06b8a0c12e422b2ed8947b8869faa4105387f199c477af038aa01f9a45cc",
        "w600k_r50.onnx": "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    },
    archive_sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
    license="insightface: non-commercial research only",
    size_bytes=288_621_354,
    preprocessing="whole image RGB; 192×192 landmark crop; 112×112 ArcFace alignment",
    validated_on="MR-ALL 91.25 (East Asian 74.96), LFW 99.83, IJB-C(1e-4) 97.25, as published",
)
UNIFD_ENCODER = Checkpoint(
    part="encoder",
    name="ViT-L-14-quickgelu openai",
    profile="full",
    source=(
        "https://huggingface.co/timm/vit_large_patch14_clip_224.openai/resolve/"
        "18d0535469bb561bf468d76c1d73aa35156c922b/open_clip_model.safetensors"
    ),
    revision="18d0535469bb561bf468d76c1d73aa35156c922b",
    files={"model.safetensors": "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e"},
    generated_files={
        CONFIG: json.dumps(
            {
                # Not `ViT-L-14`: open_clip would build plain GELU for weights that need QuickGELU.
                "model_name": "ViT-L-14-quickgelu",
                "pretrained_tag": "openai",
                "preprocess_cfg": {"interpolation": "bicubic", "resize_mode": "shortest"},
                "face_margin": 1.3,
            },
            indent=2,
        )
        + "\n"
    },
    license="MIT (OpenAI CLIP)",
    size_bytes=1_710_517_724,
    preprocessing="224×224, bicubic, CLIP mean and std; aligned face crop, margin 1.3",
    validated_on="as published by OpenAI; not measured by this project",
)
UNIFD_HEAD = Checkpoint(
    part="heads",
    name="UniFD linear head",
    profile="full",
    source=(
        "https://raw.githubusercontent.com/WisconsinAIVision/UniversalFakeDetect/"
        "76a0e3e60a8a06458707a625d269ba815a2e5919/pretrained_weights/fc_weights.pth"
    ),
    revision="76a0e3e60a8a06458707a625d269ba815a2e5919",
    files={PUBLIC_HEAD: PUBLIC_HEAD_SHA256},
    license="MIT",
    size_bytes=4_083,
    preprocessing="features of ViT-L/14 openai; published figures use a centre crop, no resize",
    validated_on="19 generators: accuracy 81.38, `Deepfakes` 66.6, as published",
)

_QWEN_FILES = {
    "chat_template.json": (
        5_502, "6f8a6a55027e3da5160105556cda5dd69f6423f1c32645f6730d32de7773d0c4",
    ),
    "config.json": (
        1_505, "edac7703329133edfc53e46ac0081835144c99d7eebf28b71c732694d435224d",
    ),
    "generation_config.json": (
        269, "8469742d1fce0de951c8909b26a2c0c0d8490837ce476efb114da9e0cefc4d44",
    ),
    "merges.txt": (
        1_671_839, "599bab54075088774b1733fde865d5bd747cbcc7a547c5bc12610e874e26f5e3",
    ),
    "model-00001-of-00002.safetensors": (
        4_967_229_296, "30a01a0556622645a3cce87b655bbbbbc1f170c196099f1b666c93202c3339a9",
    ),
    "model-00002-of-00002.safetensors": (
        3_908_490_048, "046296a2a387efb43b0c997d5833c789604d168834f6e0d3064bf7bb13d002a6",
    ),
    "model.safetensors.index.json": (
        64_742, "58a7841d7bff2548dd91577d216274a83cf1b500bc6a534b809d6c1b1707cf2b",
    ),
    "preprocessor_config.json": (
        390, "27225450ac9c6529872ee1924fcb0962ff5634834f817040f444118116f4e516",
    ),
    "tokenizer.json": (
        7_032_403, "a5d85b6dcc535e6b93115a9ef287e6132fdbf30270da6218194ba742261173c7",
    ),
    "tokenizer_config.json": (
        10_868, "c2da771801886ad9ae98181793ffd3dfb7f1af30f6f7c6a4e15d7dbba52e2399",
    ),
    "video_preprocessor_config.json": (
        385, "7768af27c1fafa9cc9011c1dc20067e03f8915e03b63504550e11d5066986d13",
    ),
    "vocab.json": (
        2_776_833, "ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910",
    ),
}  # fmt: skip
QWEN3_VL_4B = Checkpoint(
    part="vlm",
    name="Qwen3-VL-4B-Instruct",
    profile="full",
    source=(
        "https://huggingface.co/Qwen/Qwen3-VL-4B-Instruct/resolve/"
        "ebb281ec70b05090aa6165b016eac8ec08e71b17/"
    ),
    revision="ebb281ec70b05090aa6165b016eac8ec08e71b17",
    files={name: sha256 for name, (_, sha256) in _QWEN_FILES.items()},
    sizes={name: size for name, (size, _) in _QWEN_FILES.items()},
    license="Apache-2.0 (Qwen)",
    size_bytes=sum(size for size, _ in _QWEN_FILES.values()),
    preprocessing="the checkpoint's own processor; NF4 at load",
    validated_on="as published by Qwen; not measured by this project",
)

PROFILES: Mapping[Profile, Mapping[Component, Checkpoint]] = MappingProxyType(
    {
        "pocket": {
            "faces": POCKET_FACES,
            "encoder": POCKET_ENCODER,
            "heads": POCKET_HEADS,
            "detectors": POCKET_DETECTORS,
            "embedders": POCKET_EMBEDDERS,
            "verdict": POCKET_VERDICT,
            "vlm": POCKET_VLM,
            "reader": REQUEST_READER,
            "looking": IMPRESSION_HEADS,
        },
        # No `verdict`: the full profile's scores have not been calibrated. It has no probabilities
        # until a user fits a calibration on their own labelled data.
        "full": {
            "faces": BUFFALO_L,
            "encoder": UNIFD_ENCODER,
            "heads": UNIFD_HEAD,
            "vlm": QWEN3_VL_4B,
        },
    }
)
