"""Training scenes for the face detector: mosaics of photographs with all faces labelled.

Labelled Faces in the Wild shows one face of about 90 px in the centre of every photograph. A scene
divides a canvas randomly into cells. Each cell shows a photograph at another scale, rotation and
position, or a background without a face, so the detector learns faces of 10 to 300 px.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.faces.alignment import box_from_landmarks, keypoints_from_landmarks
from tools.training.data.labelled_faces import LandmarkTrainingFaces
from tools.training.data.textures import texture

SMALLEST_FACE_PX = 11.0  # smaller faces are ignored in training
LEAST_VISIBLE = 0.7  # visible share of a box that the cell's edge cuts


@dataclass(slots=True, eq=False)
class MosaicScene:
    """A canvas (side, side, 3) uint8 RGB with its faces.

    `boxes` are x1 y1 x2 y2, `keypoints` (5, 2); `ignored` are boxes without a loss.
    """

    pixels: np.ndarray
    boxes: list[np.ndarray] = field(default_factory=list)
    keypoints: list[np.ndarray] = field(default_factory=list)
    ignored: list[np.ndarray] = field(default_factory=list)


class SceneMaker:
    """Composes scenes of labelled faces and backgrounds.

    `unlabelled` maps a row of `faces` to boxes (k, 4), in pixels of that photograph, of unlabelled
    faces; they are ignored in training. If a photograph shows several faces at unknown places,
    everything outside the labelled face is ignored.
    """

    def __init__(
        self,
        faces: LandmarkTrainingFaces,
        backgrounds: list[np.ndarray],
        *,
        side: int,
        unlabelled: dict[int, np.ndarray] | None = None,
    ) -> None:
        self.faces = faces
        self.backgrounds = backgrounds
        self.side = side
        self.unlabelled = unlabelled
        self.boxes = np.stack([box_from_landmarks(points) for points in faces.landmarks])
        # Small faces are drawn from reduced copies, because a warp interpolates only four pixels.
        photos = faces.photos
        self.halves = [
            np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in photos])
            for size in (109, 55)
        ]

    def scene(self, rng: np.random.Generator) -> MosaicScene:
        """One scene; the same state of `rng` gives the same scene."""
        scene = MosaicScene(np.zeros((self.side, self.side, 3), np.uint8))
        smallest = 2.0 ** rng.uniform(4.9, 8.6)
        for cell in _cells(rng, (0, 0, self.side, self.side), smallest):
            self._fill(scene, cell, rng)
        scene.pixels = degrade(scene.pixels, rng)
        return scene

    def _fill(
        self, scene: MosaicScene, cell: tuple[int, int, int, int], rng: np.random.Generator
    ) -> None:
        x, y, width, height = cell
        draw = rng.random()
        view = self._background(rng, height, width)
        if draw < 0.66:
            view = self._face(scene, view, (x, y), rng)
        elif draw < 0.72:
            view = self._shuffled(view, rng)
        scene.pixels[y : y + height, x : x + width] = view

    def _face(
        self,
        scene: MosaicScene,
        view: np.ndarray,
        corner: tuple[int, int],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Draw a photograph with its face into the view and add it to the scene's labels."""
        height, width = view.shape[:2]
        row = int(rng.integers(len(self.faces)))
        size = min(height, width) * 2.0 ** rng.uniform(-1.7, 0.15)
        centre = rng.uniform(0.3, 0.7, 2) * (width, height)
        matrix = _motion(rng, self.boxes[row], size=size, centre=centre)
        landmarks = self.faces.landmarks[row] @ matrix[:, :2].T + matrix[:, 2]
        view = _draw(view, self._copies(row), matrix)
        box, points = box_from_landmarks(landmarks), keypoints_from_landmarks(landmarks)
        if np.linalg.det(matrix[:, :2]) < 0:
            points = points[[1, 0, 2, 4, 3]]
        if rng.random() < 0.15:
            view = self._occlude(view, box, rng)
        elif rng.random() < 0.05:
            _put_on_sunglasses(view, points, rng)
        shift = np.array([*corner, *corner], np.float32)
        visible = _visible(box, width, height)
        if visible >= LEAST_VISIBLE and np.sqrt(_area(box)) >= SMALLEST_FACE_PX:
            scene.boxes.append(box + shift)
            scene.keypoints.append(points + np.array(corner, np.float32))
        elif visible > 0.1:
            scene.ignored.append(_clip(box, width, height) + shift)
        for other in self._unknown(row, matrix, width, height):
            scene.ignored.append(other + shift)
        return view

    def _unknown(self, row: int, matrix: np.ndarray, width: int, height: int) -> list[np.ndarray]:
        """Areas of the cell that may contain unlabelled faces."""
        known = self.unlabelled or {}
        if not self.faces.alone[row] and row not in known:
            return [np.array([0, 0, width, height], np.float32)]
        boxes = [_moved(box, matrix) for box in known.get(row, [])]
        return [_clip(box, width, height) for box in boxes if _visible(box, width, height) > 0]

    def _background(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """A background without a face: texture, picture, or a part of a photograph beside the
        face."""
        draw = rng.random()
        if draw < 0.25:
            return texture(rng, height, width)
        if draw < 0.38:
            return self._scrambled(rng, height, width)
        if draw < 0.5:
            return self._relief(rng, height, width)
        if draw < 0.65:
            picture = self.backgrounds[rng.integers(len(self.backgrounds))]
            return _part(rng, picture, height, width)
        row = int(rng.integers(len(self.faces)))
        x1, _, x2, y2 = self.boxes[row]
        grow = 0.12 * (x2 - x1)
        strips = [(0, 0, x1 - grow, 218), (x2 + grow, 0, 218, 218), (0, y2 + grow, 218, 218)]
        left, top, right, bottom = (int(v) for v in strips[rng.integers(3)])
        usable = self.faces.alone[row] and row not in (self.unlabelled or {})
        if not usable or right - left < 24 or bottom - top < 24:
            return texture(rng, height, width)
        return _part(rng, self.faces.photos[row][top:bottom, left:right], height, width)

    def _shuffled(self, view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A face cut into nine tiles in the wrong order: skin and eyes, but not a face."""
        row = int(rng.integers(len(self.faces)))
        x1, y1, x2, y2 = np.clip(self.boxes[row], 0, 218).astype(int)
        if x2 - x1 < 30 or y2 - y1 < 30:
            return view
        face = cv2.resize(self.faces.photos[row][y1:y2, x1:x2], (96, 96))
        tiles = face.reshape(3, 32, 3, 32, 3).transpose(0, 2, 1, 3, 4).reshape(9, 32, 32, 3)
        mixed = tiles[rng.permutation(9)].reshape(3, 3, 32, 32, 3).transpose(0, 2, 1, 3, 4)
        size = view.shape[1], view.shape[0]
        shown: np.ndarray = cv2.resize(mixed.reshape(96, 96, 3), size, interpolation=cv2.INTER_AREA)
        return shown

    def _scrambled(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """A photograph patch with random phases: the grain and colours of faces without their
        shape.

        Sometimes within an ellipse, like gravel, coins and fruit.
        """
        row, side = int(rng.integers(len(self.faces))), int(rng.choice([32, 64, 128]))
        x, y = rng.integers(0, 218 - side, 2)
        patch = self.faces.photos[row][y : y + side, x : x + side].astype(np.float32)
        phase = np.exp(1j * np.angle(np.fft.fft2(rng.random((side, side)))))
        waves = np.fft.fft2(patch, axes=(0, 1)) * phase[..., None]
        mixed = np.clip(np.fft.ifft2(waves, axes=(0, 1)).real, 0, 255).astype(np.uint8)
        view: np.ndarray = cv2.resize(mixed, (width, height), interpolation=cv2.INTER_CUBIC)
        if rng.random() < 0.4:
            mask = np.zeros((height, width), np.uint8)
            for _ in range(rng.integers(1, 5)):
                centre = (rng.uniform(0.2, 0.8, 2) * (width, height)).astype(int).tolist()
                axes = (rng.uniform(0.1, 0.5, 2) * min(width, height)).astype(int).tolist()
                cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 255, -1)
            view[mask == 0] = texture(rng, height, width)[mask == 0]
        return view

    def _relief(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """A face as on a coin: edges lit from one side, no skin tones; counts as background."""
        photo = self.faces.photos[rng.integers(len(self.faces))][30:190, 30:190].mean(axis=2)
        fine = cv2.GaussianBlur(photo, (0, 0), rng.uniform(1.0, 3.0))
        down, right = (int(v) for v in rng.integers(-4, 5, 2))
        lit = (fine - np.roll(fine, (down, right), (0, 1))) * rng.uniform(0.7, 2.0)
        lit += (fine - fine.mean()) * rng.uniform(-0.15, 0.15)
        view = texture(rng, height, width)
        shape = np.zeros((height, width), np.uint8)
        centre, axes = [width // 2, height // 2], [int(width * 0.48), int(height * 0.48)]
        cv2.ellipse(shape, centre, axes, 0, 0, 360, 255, -1)
        resized = cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA)
        embossed = np.clip(resized + rng.uniform(70, 190), 0, 255).astype(np.uint8)
        view[shape > 0] = embossed[shape > 0, None]
        return view

    def _occlude(self, view: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Cover up to about a third of the face, like a mask, a hand or a microphone."""
        size = box[2:] - box[:2]
        w, h = (rng.uniform(0.2, 0.6, 2) * size).astype(int) + 1
        x, y = (box[:2] + rng.uniform(-0.1, 0.8, 2) * size).astype(int)
        x1, y1 = max(x, 0), max(y, 0)
        x2, y2 = min(x + w, view.shape[1]), min(y + h, view.shape[0])
        if x2 > x1 and y2 > y1:
            view[y1:y2, x1:x2] = self._background(rng, int(y2 - y1), int(x2 - x1))
        return view

    def _copies(self, row: int) -> list[np.ndarray]:
        return [self.faces.photos[row], self.halves[0][row], self.halves[1][row]]


def degrade(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour, light, blur, noise and JPEG changes typical of web photographs."""
    image: np.ndarray = pixels.astype(np.float32)
    if rng.random() < 0.15:
        image[:] = image.mean(axis=2, keepdims=True)
    if rng.random() < 0.8:
        middle = image.mean()
        image = (image - middle) * rng.uniform(0.5, 1.4) + middle + rng.uniform(-50, 50)
        image *= rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.15:
        image += rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(1, 12)
    result: np.ndarray = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = int(rng.integers(25, 92))
        _, coded = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, quality])
        result = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return result


def _put_on_sunglasses(view: np.ndarray, keypoints: np.ndarray, rng: np.random.Generator) -> None:
    left, right = keypoints[:2]
    apart = float(np.linalg.norm(right - left))
    colour = tuple(int(c) for c in rng.integers(0, 70, 3))
    for eye in (left, right):
        radius = int(apart * rng.uniform(0.24, 0.42)) + 1
        cv2.circle(view, np.round(eye).astype(int).tolist(), radius, colour, -1, cv2.LINE_AA)
    ends = [np.round(eye).astype(int).tolist() for eye in (left, right)]
    cv2.line(view, ends[0], ends[1], colour, max(1, int(apart * 0.08)), cv2.LINE_AA)


def _cells(
    rng: np.random.Generator, cell: tuple[int, int, int, int], smallest: float
) -> list[tuple[int, int, int, int]]:
    """Split x, y, width, height randomly until the cells are near the desired size."""
    x, y, width, height = cell
    longer = max(width, height)
    if longer < 2 * smallest or longer < 64 or (longer < 300 and rng.random() < 0.18):
        return [cell]
    cut = int(longer * rng.uniform(0.35, 0.65))
    if width >= height:
        parts = (x, y, cut, height), (x + cut, y, width - cut, height)
    else:
        parts = (x, y, width, cut), (x, y + cut, width, height - cut)
    return [leaf for part in parts for leaf in _cells(rng, part, smallest)]


def _motion(
    rng: np.random.Generator, box: np.ndarray, *, size: float, centre: np.ndarray
) -> np.ndarray:
    """Similarity (2, 3), sometimes mirrored, that gives the face this size and centre."""
    angle = np.deg2rad(np.clip(rng.normal(0, 14), -35, 35))
    scale = size / np.sqrt(_area(box))
    stretch = rng.uniform(0.92, 1.08)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn * scale @ np.diag([mirror * stretch, 1 / stretch])
    middle = (box[:2] + box[2:]) / 2
    return np.hstack([linear, (centre - linear @ middle)[:, None]])


def _draw(view: np.ndarray, copies: list[np.ndarray], matrix: np.ndarray) -> np.ndarray:
    """Warp the photograph copy of the best-fitting scale onto the view."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    copy = copies[0] if scale > 0.6 else copies[1] if scale > 0.3 else copies[2]
    factor = len(copies[0]) / len(copy)
    shift = matrix[:, 2] + matrix[:, :2] @ np.full(2, factor / 2 - 0.5)
    scaled = np.hstack([matrix[:, :2] * factor, shift[:, None]])
    height, width = view.shape[:2]
    drawn: np.ndarray = cv2.warpAffine(
        copy, scaled, (width, height), dst=view.copy(), borderMode=cv2.BORDER_TRANSPARENT
    )
    return drawn


def _part(rng: np.random.Generator, picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A random part of the picture, randomly mirrored, stretched to the cell by at most four."""
    zoom = 2.0 ** rng.uniform(-1, 2)
    h = int(np.clip(height / zoom, 8, picture.shape[0]))
    w = int(np.clip(width / zoom, 8, picture.shape[1]))
    y = int(rng.integers(picture.shape[0] - h + 1))
    x = int(rng.integers(picture.shape[1] - w + 1))
    part = picture[y : y + h, x : x + w]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    how = cv2.INTER_AREA if w > width else cv2.INTER_LINEAR
    resized: np.ndarray = cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=how)
    return resized


def _moved(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box
    corners = np.array([[x1, y1], [x2, y1], [x1, y2], [x2, y2]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)


def _clip(box: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(np.clip(box, 0, [width, height, width, height]), dtype=np.float32)


def _area(box: np.ndarray) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def _visible(box: np.ndarray, width: int, height: int) -> float:
    return _area(_clip(box, width, height)) / max(_area(box), 1e-6)
