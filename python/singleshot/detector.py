"""A trained network that finds objects in images."""

import os
import sys
from dataclasses import dataclass

import numpy as np

from . import _core
from ._arguments import number, whole

__all__ = ["Category", "Detections", "Detector"]

_ORDERS = {1: "gray", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True)
class Category:
    """A class of objects: its id in the annotations that the network was trained on, and its name."""

    id: int
    name: str


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one image, by falling score."""

    boxes: np.ndarray  # float32 (N, 4): left, top, right, bottom in pixels, clipped to the image
    scores: np.ndarray  # float32 (N): 0..1
    labels: np.ndarray  # int32 (N): label 1 is detector.categories[0]
    category_ids: np.ndarray  # int64 (N): as in the annotations; below -2**53 it stands for an id that is a text there
    width: int  # of the image in pixels; of a file as its EXIF tag turns it
    height: int
    error: str = ""  # why the image could not be read (bad_images="keep"); empty where it could

    def __len__(self):
        return len(self.scores)


class Detector:
    """Finds objects in images, from any number of threads at the same time.

    `path` is a checkpoint's or a run's folder, or a .safetensors or PyTorch .pt file. The network runs on one thread
    of the detector's own with `threads` OpenMP threads (0: all processors), `batch` images at once, its convolutions
    in the `precision` f32 or bf16 (on processors with AMX or AVX512_BF16). After a fork a detector works in the parent
    alone: make it in the process that uses it. Raises singleshot.Error.
    """

    def __init__(self, path, *, threads=0, batch=1, stride_in=None, precision="f32"):
        if precision not in ("f32", "bf16"):
            raise ValueError(f"precision: got {precision!r}, expected 'f32' or 'bf16'")
        self._core = _core.Detector(
            os.fsencode(path), whole("threads", threads), whole("batch", batch, 1), stride_in or "", precision
        )
        self._process = os.getpid()
        self.categories = [Category(id, name.decode(errors="replace")) for id, name in self._core.categories()]

    def detect(self, images, score=0.3, *, iou=0.45, most=200, order=None, bad_images="raise"):
        """The Detections of one image, or a list of them for several.

        An image is a path, the bytes of an image file or an open one, an array uint8 (height, width, 3), (height,
        width, 4) or (height, width), or an image of Pillow, taken as it stands: an EXIF orientation turns only files.
        Several are a list, a tuple or any other iterable of images, or an array of four dimensions.
        `order` names the channels of arrays: rgb, bgr, rgba, bgra, gray; by default RGB, RGBA with alpha or gray, as
        their number says. Alpha is laid over white. Arrays are not copied while a row's pixels lie side by side.
        Detections score above `score`; of boxes of a class that overlap more than `iou` the best is kept; at most
        `most` are given. An image that cannot be read raises singleshot.Error, or with bad_images="keep" has no
        detections and its reason in `error`.
        """
        if bad_images not in ("raise", "keep"):
            raise ValueError(f"bad_images: got {bad_images!r}, expected 'raise' or 'keep'")
        if os.getpid() != self._process:
            raise _core.Error("detector: got a call after a fork, expected the process that made it; make one in each process")
        options = number("score", score), number("iou", iou), whole("most", most, 1)
        if order is not None and not isinstance(order, str):
            raise TypeError(f"order: got {type(order).__name__}, expected a name such as 'bgr'")
        single = _is_one(images)
        several = [_opened(image) for image in ([images] if single else images)]
        if any(isinstance(image, np.ndarray) for image in several):
            found = self._detect_arrays(several, order, options)
        else:
            found = self._core.detect([_prepared(image, "rgb") for image in several], "rgb", *options)
        results = [Detections(*one) for one in found]
        if bad_images == "raise":
            for place, result in enumerate(results):
                if result.error:
                    raise _core.Error(result.error if single else f"image {place}: {result.error}")
        return results[0] if single else results

    def _detect_arrays(self, images, order, options):
        """Images of one channel order go together; what are no arrays goes with the first."""
        orders = [_order_of(image, order) if isinstance(image, np.ndarray) else None for image in images]
        first = next(name for name in orders if name)
        orders = [name or first for name in orders]
        results = [None] * len(images)
        for name in dict.fromkeys(orders):
            places = [place for place, own in enumerate(orders) if own == name]
            found = self._core.detect([_prepared(images[place], name) for place in places], name, *options)
            for place, one in zip(places, found):
                results[place] = one
        return results


def _is_pillow(image):
    pillow = sys.modules.get("PIL.Image")  # whoever has such an image has imported it
    return pillow is not None and isinstance(image, pillow.Image)


def _is_one(images):
    if isinstance(images, np.ndarray):
        return images.ndim != 4
    if isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(images, "read") or _is_pillow(images):
        return True
    if not hasattr(images, "__iter__"):
        raise TypeError(f"images: got {type(images).__name__}, expected a path, bytes or a numpy array, or several of them")
    return False


def _opened(image):
    """An open file's bytes, and Pillow's image as an array."""
    if _is_pillow(image):
        clear = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        return np.asarray(image.convert("RGBA" if clear else "RGB"))
    return image.read() if hasattr(image, "read") and not isinstance(image, np.ndarray) else image


def _order_of(array, order):
    if order is not None:
        return order
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in _ORDERS:
        raise ValueError(
            f"image: got an array of shape {array.shape}, expected (height, width, 3), (height, width, 4) or (height, width)"
        )
    return _ORDERS[channels]


def _prepared(image, order):
    """What the extension takes: a tuple of a path, bytes, or an array of three dimensions with whole rows."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        path = os.fsencode(image)
        if not path or b"\0" in path:
            raise _core.Error(f"image: got {image!r}, expected the path of a file")
        return (path,)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image: got {type(image).__name__}, expected a path, bytes or a numpy array")
    if image.dtype != np.uint8:
        raise TypeError(f"image: got an array of {image.dtype}, expected uint8; scale it to 0..255 first")
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"image: got an array of shape {image.shape}, expected (height, width, channels)")
    channels = image.shape[2]
    if (channels > 1 and image.strides[2] != 1) or image.strides[1] != channels:
        return np.ascontiguousarray(image)
    return image
