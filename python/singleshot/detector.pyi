import os
from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias, overload

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.uint8]

class _OpenFile(Protocol):
    def read(self) -> bytes: ...

class _PillowImage(Protocol):
    @property
    def mode(self) -> str: ...
    def convert(self, mode: str, /) -> Any: ...

Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Pixels | _OpenFile | _PillowImage
Order: TypeAlias = Literal["rgb", "bgr", "rgba", "bgra", "gray"]

class Category:
    id: int
    name: str
    def __init__(self, id: int, name: str) -> None: ...

class Detections:
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    category_ids: npt.NDArray[np.int64]
    width: int
    height: int
    error: str
    def __len__(self) -> int: ...

class Detector:
    categories: list[Category]
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 0,
        batch: int = 1,
        stride_in: Literal["3x3", "1x1"] | None = None,
        precision: Literal["f32", "bf16"] = "f32",
    ) -> None: ...
    @overload
    def detect(
        self,
        images: Image,
        score: float = 0.3,
        *,
        iou: float = 0.45,
        most: int = 200,
        order: Order | None = None,
        bad_images: Literal["raise", "keep"] = "raise",
    ) -> Detections: ...
    @overload
    def detect(
        self,
        images: Iterable[Image],
        score: float = 0.3,
        *,
        iou: float = 0.45,
        most: int = 200,
        order: Order | None = None,
        bad_images: Literal["raise", "keep"] = "raise",
    ) -> list[Detections]: ...
