"""Split videos into frames for indexing, and reassemble them when all frames are analysed.

The frames of a video are analysed like any other pictures, in the same batches. Their measurements
(never their pixels) are held here until the last frame is done, so that a video is recorded
completely or not at all: after a crash it is a file not yet indexed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tools.gallery.indexing.analysis import DecodedImage
from tools.gallery.records import AnalysedImage, AnalysedVideo, FramePosition
from tools.media.skip_reasons import RETRIED_REASONS, UnreadableImage
from tools.media.videos.frames import Video
from tools.media.videos.sampling import frame_to_photo, sample_frames


@dataclass(slots=True)
class _Underway:
    video: Video
    byte_size: int
    images: list[AnalysedImage] = field(default_factory=list)


class VideoAssembler:
    """The videos under analysis, by their sha256."""

    def __init__(self) -> None:
        self._underway: dict[str, _Underway] = {}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._underway

    def opened(self, video_id: str, video: Video, *, byte_size: int) -> Iterator[DecodedImage]:
        """The frames of a video as pictures to be analysed, decoded on demand.

        Raises `UnreadableImage` if none can be decoded, or if the system fails meanwhile; a video
        that breaks off later because it is damaged yields the frames that could be decoded.
        """
        self._underway[video_id] = _Underway(video, byte_size)
        given = 0
        try:
            for frame in sample_frames(video):
                moment = FramePosition(video_id, frame.time_s)
                photo = frame_to_photo(video, frame.pixels, image_id=moment.image_id)
                given += 1
                yield DecodedImage(photo, byte_size=byte_size, moment=moment)
        except UnreadableImage as error:
            if not given or error.reason in RETRIED_REASONS:
                del self._underway[video_id]
                raise
        if not given:
            del self._underway[video_id]
            raise UnreadableImage("damaged", "no frame can be decoded")

    def collect_frames(self, images: Iterable[AnalysedImage]) -> list[AnalysedImage]:
        """Keep the frames among the pictures until their videos are complete; returns the rest."""
        rest = []
        for image in images:
            if image.moment is None:
                rest.append(image)
            elif image.moment.video_id in self._underway:  # otherwise its video was abandoned
                self._underway[image.moment.video_id].images.append(image)
        return rest

    def whole(self, video_id: str) -> AnalysedVideo | None:
        """A video whose frames have all been collected; None if none of them was analysed."""
        done = self._underway.pop(video_id)
        if not done.images:
            return None
        return AnalysedVideo(
            id=video_id,
            format=done.video.format,
            frames=done.video.frames,
            duration_s=done.video.duration_s,
            byte_size=done.byte_size,
            unmask_forgery=done.video.unmask_forgery,
            images=tuple(done.images),
        )
