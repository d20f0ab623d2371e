"""The input pipeline of training: images and targets in batches of numpy arrays, made by threads ahead of their use."""

import os
from dataclasses import dataclass

import numpy as np

from . import _core
from ._arguments import whole
from .detector import Category

__all__ = ["Batch", "Loader", "default_boxes"]


@dataclass(frozen=True, eq=False)
class Batch:
    """N samples, with room for G boxes each. The targets are None in evaluation."""

    images: np.ndarray  # uint8 (N, 300, 300, 3): RGB
    match: np.ndarray  # int32 (N, 8732): the box each default box learns, an index into `boxes`; -1: none
    boxes: np.ndarray  # float32 (N, G, 4): cx, cy, width, height, normalized; zero beyond a sample's own
    labels: np.ndarray  # int32 (N, G): 1 .. K; zero beyond a sample's own
    image_ids: np.ndarray  # int64 (N): of the annotations; -1: no image (evaluation: it could not be read)
    samples: np.ndarray  # int64 (N): positions in the data set; -1: none
    position: tuple  # (epoch, sample) of the first sample
    next_position: tuple  # of the batch that follows: `begin` of a loader that goes on from here

    def __len__(self):
        return len(self.image_ids)


class Loader:
    """An iterator of batches: without an end in training, over the data set once in evaluation.

    `data` is a folder of a COCO data set, however it is laid out, or a record cache; `annotations` and `images` name a
    file and a folder elsewhere. Training batches are augmented as `augment` lists (as `singleshot train --augment`),
    and are a function of the seed, whatever the number of threads (0: all processors). Images that cannot be read are
    replaced by others, or with bad_images="fail" raise singleshot.Error. `rank` of `world` loaders takes its part of
    every batch. One thread at a time may ask for the next batch; the GIL is not held meanwhile. Its threads do the work:
    it is not for a torch DataLoader's workers, and after a fork it works in the parent alone.

    Arrays look into the loader's memory, of `buffers` batches: a batch's memory goes back when its last array does.
    Who holds so many batches that the threads would stand still gets copies.
    """

    def __init__(
        self,
        data=None,
        split="train",
        *,
        annotations=None,
        images=None,
        train=True,
        batch_size=32,
        threads=0,
        buffers=6,
        seed=0,
        shuffle=True,
        augment="all",
        begin=(0, 0),
        rank=0,
        world=1,
        bad_images="replace",
    ):
        if data is None and (annotations is None or images is None):
            raise ValueError("data: got None, expected a folder or a record cache, or both annotations and images")
        if bad_images not in ("replace", "fail"):
            raise ValueError(f"bad_images: got {bad_images!r}, expected 'replace' or 'fail'")
        begin = tuple(begin) if hasattr(begin, "__iter__") else (begin,)
        if len(begin) != 2:
            raise ValueError(f"begin: got {begin}, expected (epoch, sample): next_position of a batch")
        path = lambda value: b"" if value is None else os.fsencode(value)
        self._core = _core.Loader(
            {
                "data": path(data),
                "split": _text("split", split),
                "annotations": path(annotations),
                "images": path(images),
                "train": bool(train),
                "batch_size": whole("batch_size", batch_size, 1),
                "threads": whole("threads", threads),
                "buffers": whole("buffers", buffers, 3),
                "seed": whole("seed", seed, most=2**64 - 1),
                "shuffle": bool(shuffle),
                "augment": _text("augment", augment),
                "begin": (whole("begin", begin[0], most=2**32 - 1), whole("begin", begin[1], most=2**64 - 1)),
                "rank": whole("rank", rank),
                "world": whole("world", world, 1),
                "fail": bad_images == "fail",
            }
        )
        self._process = os.getpid()
        self.categories = [Category(id, name.decode(errors="replace")) for id, name in self._core.categories()]

    def __iter__(self):
        return self

    def __next__(self):
        if os.getpid() != self._process:
            raise _core.Error("loader: got a call after a fork, expected the process that made it; make one in each process")
        batch = self._core.next()
        if batch is None:
            raise StopIteration
        return Batch(*batch)

    @property
    def samples(self):
        """Samples of an epoch."""
        return self._core.samples

    @property
    def batches(self):
        """Batches of an evaluation; 0 in training, which has no end."""
        return self._core.batches

    @property
    def max_boxes(self):
        """G of the batches."""
        return self._core.max_boxes

    @property
    def bad_images(self):
        """Different images that could not be read, of the batches so far."""
        return self._core.bad_images


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name}: got {type(value).__name__}, expected a string")
    return value


def default_boxes():
    """The network's default boxes, float32 (8732, 4): cx, cy, width, height, normalized."""
    return _core.default_boxes()
