"""Measured photos and videos that are held in memory only: nothing is stored in a gallery."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.gallery.indexing.analysis import analyse_batch, analyse_photo
from tools.gallery.indexing.video_assembly import VideoAssembler
from tools.gallery.records import (
    AnalysedImage,
    FaceRecord,
    FramePosition,
    FrameRecord,
    ImageRecord,
    PictureLayouts,
    face_id,
)
from tools.media.pictures.decoding import read_photo
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.frames import Video
from tools.media.videos.signatures import video_sha256
from tools.search.model_bundle import ModelBundle
from tools.search.query_files import several_frames


class UnsavedPictures:
    """Pictures as a gallery would record them, for the search's functions (`PictureSource`).

    Files with identical bytes are measured once. `faces` maps the id of a picture, or of a frame of
    a video, to its faces from left to right; `moments` maps ids of frames to their positions.
    """

    def __init__(self, instruments: ModelBundle) -> None:
        self._models = instruments
        self.faces: dict[str, list[FaceRecord]] = {}
        self.moments: dict[str, FramePosition] = {}
        self._images: dict[str, ImageRecord] = {}
        self._files: dict[str, list[Path]] = {}

    def add(self, path: Path) -> str:
        """Measure a photo or video; returns its id. Raises UnreadableImage, which names the file.

        Decoded pictures are not kept.
        """
        try:
            video = several_frames(path)
        except UnreadableImage as error:
            raise UnreadableImage(error.reason, error.detail, path=path) from error
        name = self._add_photo(path) if video is None else self._add_video(path, video)
        self._files.setdefault(name, []).append(path)
        return name

    def _add_photo(self, path: Path) -> str:
        photo = read_photo(path)
        if photo.id not in self._images:
            models, size = self._models, path.stat().st_size
            self._record(analyse_photo(photo, size, faces=models.faces, encoder=models.encoder))
        return photo.id

    def _add_video(self, path: Path, video: Video) -> str:
        video_id, models, assembler = video_sha256(path), self._models, VideoAssembler()
        if video_id in self._images:
            return video_id
        for opened in assembler.opened(video_id, video, byte_size=path.stat().st_size):
            analysed = analyse_batch([opened], faces=models.faces, encoder=models.encoder)
            assembler.collect_frames(it for it in analysed if isinstance(it, AnalysedImage))
        whole = assembler.whole(video_id)
        if whole is None:
            raise UnreadableImage("not analysed", path=path)
        for image in whole.images:
            self._record(image)
        first = self._images[whole.images[0].id]
        self._images[video_id] = ImageRecord(
            video_id, first.width, first.height, whole.format, whole.frames, whole.byte_size,
            first.perceptual_hash, whole.unmask_forgery, features=None, indexed_at="",
        )  # fmt: skip
        return video_id

    def _record(self, image: AnalysedImage) -> None:
        self._images[image.id] = ImageRecord(
            image.id, image.width, image.height, image.format, image.frames, image.byte_size,
            image.perceptual_hash, image.unmask_forgery, image.features, indexed_at="",
            moment=image.moment,
        )  # fmt: skip
        self.faces[image.id] = [
            FaceRecord(
                face_id(image.id, ordinal), image.id, ordinal, it.face, it.features, it.face_hash
            )
            for ordinal, it in enumerate(image.faces)
        ]
        if image.moment is not None:
            self.moments[image.id] = image.moment

    def image(self, image_id: str) -> ImageRecord:
        """A picture, a frame or a video."""
        return self._images[image_id]

    def images(self, ids: Iterable[str]) -> Mapping[str, ImageRecord]:
        """Several of them by id."""
        return {each: self._images[each] for each in ids}

    def paths_of(self, image_id: str, *, gone: bool = False) -> list[Path]:
        """The files that hold it; for a frame, the files of its video."""
        moment = self.moments.get(image_id)
        return self._files.get(image_id if moment is None else moment.video_id, [])

    def holds(self, path: Path, image_id: str) -> bool:
        """Whether the file is there: it was read just now."""
        return path.is_file()

    def frames_of(self, video_id: str) -> list[FrameRecord]:
        """The frames taken from a video; empty for a picture."""
        return [
            FrameRecord(image_id, moment.time_s)
            for image_id, moment in self.moments.items()
            if moment.video_id == video_id
        ]

    def faces_of(self, image_id: str) -> list[FaceRecord]:
        """The faces in a picture or frame, from left to right."""
        return self.faces[image_id]

    def layouts(self) -> PictureLayouts:
        """The perceptual hashes of the pictures and frames, and of the faces in them."""
        return PictureLayouts.of(
            [(image_id, self._images[image_id].perceptual_hash) for image_id in self.faces],
            [
                (face.image_id, face.face_hash)
                for faces in self.faces.values()
                for face in faces
                if face.face_hash is not None
            ],
        )

    def faces_in(self, file_id: str) -> list[FaceRecord]:
        """The faces of a picture, or of all frames of a video."""
        frames = [frame.image_id for frame in self.frames_of(file_id)] or [file_id]
        return [face for image_id in frames for face in self.faces[image_id]]
