"""What a gallery holds, as `unmask galleries list --json` and the API say it."""

from typing import Any

from assistant.profile import LoadedModels
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.indexing.finding import count_gone
from tools.gallery.record_store import Gallery

_COUNTED = (
    "images", "videos", "faces", "files", "skipped", "missing", "created", "basis", "keep_until",
)  # fmt: skip


def describe_gallery(settings: Settings, name: str) -> dict[str, Any]:
    """A JSON-able dict; null means that the gallery cannot be read, and `problem` says why.

    `missing` files are gone from disk now; null, too, if there are too many to look for each.
    """
    try:
        with Gallery.open_existing(settings.home, name) as gallery:
            held = gallery.counts()
            return {
                "name": name,
                "images": held.images,
                "videos": held.videos,
                "faces": held.faces,
                "files": held.files,
                "skipped": held.skipped,
                "missing": count_gone(gallery),
                "created": gallery.created,
                "basis": gallery.retention.basis,
                "keep_until": gallery.retention.keep_until,
                "problem": "; ".join(gallery.notices),
                "faces_waiting": held.waiting,
                "needs_upgrade": needs_upgrade(settings, gallery),
            }
    except SetupError as error:
        nothing = dict.fromkeys(_COUNTED)
        unknown = {"faces_waiting": None, "needs_upgrade": None}
        return {"name": name, **nothing, "problem": str(error), **unknown}


def needs_upgrade(settings: Settings, gallery: Gallery) -> bool:
    """Whether a gallery's faces must be embedded again; False if the profile is not installed."""
    try:
        return gallery.needs_upgrade(LoadedModels(settings).fingerprint)
    except SetupError:
        return False
