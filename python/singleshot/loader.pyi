import os
from typing import Literal

import numpy as np
import numpy.typing as npt

from .detector import Category

class Batch:
    images: npt.NDArray[np.uint8]
    match: npt.NDArray[np.int32] | None
    boxes: npt.NDArray[np.float32] | None
    labels: npt.NDArray[np.int32] | None
    image_ids: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]
    position: tuple[int, int]
    next_position: tuple[int, int]
    def __len__(self) -> int: ...

class Loader:
    categories: list[Category]
    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        split: str = "train",
        *,
        annotations: str | os.PathLike[str] | None = None,
        images: str | os.PathLike[str] | None = None,
        train: bool = True,
        batch_size: int = 32,
        threads: int = 0,
        buffers: int = 6,
        seed: int = 0,
        shuffle: bool = True,
        augment: str = "all",
        begin: tuple[int, int] = (0, 0),
        rank: int = 0,
        world: int = 1,
        bad_images: Literal["replace", "fail"] = "replace",
    ) -> None: ...
    def __iter__(self) -> Loader: ...
    def __next__(self) -> Batch: ...
    @property
    def samples(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def max_boxes(self) -> int: ...
    @property
    def bad_images(self) -> int: ...

def default_boxes() -> npt.NDArray[np.float32]: ...
