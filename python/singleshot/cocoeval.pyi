from typing import Any

import numpy as np
import numpy.typing as npt

class Params:
    imgIds: list[Any]
    catIds: list[Any]
    iouThrs: npt.NDArray[np.float64]
    recThrs: npt.NDArray[np.float64]
    maxDets: list[int]
    areaRng: list[list[float]]
    areaRngLbl: list[str]
    useCats: int
    iouType: str
    useSegm: None
    def __init__(self, iouType: str = "bbox") -> None: ...
    def setDetParams(self) -> None: ...

class COCOeval:
    cocoGt: Any
    cocoDt: Any
    params: Params
    eval: dict[str, Any]
    stats: npt.NDArray[np.float64]
    evalImgs: list[Any]
    ious: dict[Any, Any]
    def __init__(self, cocoGt: Any = None, cocoDt: Any = None, iouType: str = "segm", *, threads: int = 0) -> None: ...
    def evaluate(self) -> None: ...
    def accumulate(self, p: Params | None = None) -> None: ...
    def summarize(self) -> None: ...
