"""COCO annotation files in memory, with the attributes and methods of pycocotools.coco.COCO that boxes need."""

import contextlib
import copy
import gc
import itertools
import json
import os
import time
from collections import defaultdict

import numpy as np

__all__ = ["COCO"]


def _as_list(value):
    """A value that may be one id or many, as many."""
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, (str, bytes)) else [value]


@contextlib.contextmanager
def _no_collection():
    """While hundreds of thousands of dictionaries are made, looking for cycles among them takes more time than they do."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_json(file):
    with open(file, encoding="utf-8-sig") as opened, _no_collection():
        return json.load(opened)


class COCO:
    """Annotations with their indices: anns, imgs, cats by id; imgToAnns, catToImgs as lists by id.

    Masks are not read: annToRLE and annToMask of pycocotools are not here.
    """

    def __init__(self, annotation_file=None):
        self.dataset, self.anns, self.cats, self.imgs = {}, {}, {}, {}
        self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
        if annotation_file is None:
            return
        print("loading annotations into memory...")
        started = time.time()
        dataset = _read_json(annotation_file)
        if not isinstance(dataset, dict):
            raise ValueError(f"{os.fsdecode(annotation_file)}: got a {type(dataset).__name__}, expected an object of lists")
        print(f"Done (t={time.time() - started:0.2f}s)")
        self.dataset = dataset
        self.createIndex()

    def createIndex(self):
        """Makes the indices anew, after `dataset` was changed."""
        print("creating index...")
        annotations = self.dataset.get("annotations", [])
        self.anns = {annotation["id"]: annotation for annotation in annotations}
        self.imgs = {image["id"]: image for image in self.dataset.get("images", [])}
        self.cats = {category["id"]: category for category in self.dataset.get("categories", [])}
        self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
        for annotation in annotations:
            self.imgToAnns[annotation["image_id"]].append(annotation)
        if "categories" in self.dataset:
            for annotation in annotations:
                self.catToImgs[annotation["category_id"]].append(annotation["image_id"])
        print("index created!")

    def info(self):
        """Prints what the file says of itself."""
        for key, value in self.dataset.get("info", {}).items():
            print(f"{key}: {value}")

    def getAnnIds(self, imgIds=[], catIds=[], areaRng=[], iscrowd=None):
        """Ids of the annotations of these images and categories, with an area within the range; empty: all."""
        images, categories = _as_list(imgIds), _as_list(catIds)
        if images:
            found = itertools.chain.from_iterable(self.imgToAnns[i] for i in images if i in self.imgToAnns)
        else:
            found = self.dataset.get("annotations", [])
        if categories:
            wanted = set(categories)
            found = (annotation for annotation in found if annotation["category_id"] in wanted)
        if len(areaRng) > 0:
            found = (annotation for annotation in found if areaRng[0] < annotation["area"] < areaRng[1])
        if iscrowd is not None:
            found = (annotation for annotation in found if annotation["iscrowd"] == iscrowd)
        return [annotation["id"] for annotation in found]

    def getCatIds(self, catNms=[], supNms=[], catIds=[]):
        """Ids of the categories with these names, of these supercategories, of these ids; empty: all."""
        names, above, ids = _as_list(catNms), _as_list(supNms), _as_list(catIds)
        return [
            category["id"]
            for category in self.dataset.get("categories", [])
            if (not names or category["name"] in names)
            and (not above or category["supercategory"] in above)
            and (not ids or category["id"] in ids)
        ]

    def getImgIds(self, imgIds=[], catIds=[]):
        """Ids of these images that have objects of all these categories; empty: all."""
        images, categories = _as_list(imgIds), _as_list(catIds)
        if not images and not categories:
            return list(self.imgs)
        ids = set(images)
        for place, category in enumerate(categories):
            of_category = set(self.catToImgs.get(category, ()))
            ids = of_category if place == 0 and not ids else ids & of_category
        return list(ids)

    def loadAnns(self, ids=[]):
        return self._load(self.anns, ids)

    def loadCats(self, ids=[]):
        return self._load(self.cats, ids)

    def loadImgs(self, ids=[]):
        return self._load(self.imgs, ids)

    @staticmethod
    def _load(index, ids):
        return [index[i] for i in _as_list(ids)]

    def loadRes(self, resFile):
        """Detections as a COCO of their own: a file, a list of {image_id, category_id, bbox, score}, or an array
        (N, 7) of image_id, left, top, width, height, score, category_id. Given dictionaries get an id, an area and
        iscrowd; not pycocotools' polygon around the box."""
        print("Loading and preparing results...")
        started = time.time()
        if isinstance(resFile, (str, os.PathLike)):
            found = _read_json(resFile)
        elif isinstance(resFile, np.ndarray):
            found = self.loadNumpyAnnotations(resFile)
        else:
            found = resFile
        if not isinstance(found, list):
            raise ValueError(f"results: got a {type(found).__name__}, expected a list of detections")
        unknown = {annotation["image_id"] for annotation in found} - set(self.getImgIds())
        if unknown:
            raise ValueError(
                f"results: got image_id {next(iter(unknown))}, expected an image of the annotations; evaluate against those "
                "that the detections were made for"
            )
        if found and not found[0].get("bbox"):
            raise ValueError("results: got no bbox in detection 0, expected boxes: masks, keypoints and captions are not read")
        for number, annotation in enumerate(found, 1):
            _, _, width, height = annotation["bbox"]
            annotation["area"] = width * height
            annotation["id"] = number
            annotation["iscrowd"] = 0
        print(f"DONE (t={time.time() - started:0.2f}s)")
        result = COCO()
        result.dataset = {
            "images": list(self.dataset.get("images", [])),
            "categories": copy.deepcopy(self.dataset.get("categories", [])),
            "annotations": found,
        }
        if "info" in self.dataset:
            result.dataset["info"] = copy.deepcopy(self.dataset["info"])
        result.createIndex()
        return result

    def loadNumpyAnnotations(self, data):
        """Rows of image_id, left, top, width, height, score, category_id as a list of detections."""
        if data.ndim != 2 or data.shape[1] != 7:
            raise ValueError(f"results: got an array of shape {data.shape}, expected (N, 7)")
        return [
            {"image_id": int(row[0]), "bbox": row[1:5], "score": row[5], "category_id": int(row[6])} for row in data.tolist()
        ]
