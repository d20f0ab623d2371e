"""Singleshot from Python: a detector, COCO's evaluation, and the input pipeline of training."""

from ._core import Error
from ._core import version as __version__
from .coco import COCO
from .cocoeval import COCOeval
from .detector import Category, Detections, Detector
from .loader import Batch, Loader, default_boxes

__all__ = ["COCO", "COCOeval", "Batch", "Category", "Detections", "Detector", "Error", "Loader", "default_boxes"]
