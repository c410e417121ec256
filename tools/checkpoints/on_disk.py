"""Where a checkpoint's files lie on this machine: its folder, or that of a downloaded Hub model."""

from pathlib import Path

from tools.media.paths import is_folder


def folder_on_disk(source: str | Path, revision: str | None = None) -> Path | None:
    """The folder that `source` names, or that the Hub model of this id was downloaded to.

    None if there is neither. A library that is given the id itself may ask the Hub something even
    if it is forbidden to download (huggingface_hub 2.4: which programs count as agents).
    """
    if is_folder(source):
        return Path(source)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None
