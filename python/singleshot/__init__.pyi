from .coco import COCO as COCO
from .cocoeval import COCOeval as COCOeval
from .detector import Category as Category
from .detector import Detections as Detections
from .detector import Detector as Detector
from .loader import Batch as Batch
from .loader import Loader as Loader
from .loader import default_boxes as default_boxes

__version__: str

class Error(ValueError): ...
