"""COCO's evaluation of detected boxes, in the place of pycocotools.cocoeval: the same numbers to the last bit."""

import copy
import datetime
import itertools
import time

import numpy as np

from . import _core

__all__ = ["COCOeval", "Params"]

# What the extension evaluates at once; longer axes are evaluated in turns.
_IOUS, _RECALLS, _AREAS, _LIMITS = 10, 101, 4, 3


def _require_boxes(kind):
    if kind != "bbox":
        raise ValueError(f"iouType: got {kind!r}, expected 'bbox'; use pycocotools for masks and keypoints")


class Params:
    """What is evaluated: ids, thresholds, ranges of areas and limits of detections, as COCO has them."""

    def __init__(self, iouType="bbox"):
        _require_boxes(iouType)
        self.setDetParams()
        self.iouType = iouType
        self.useSegm = None

    def setDetParams(self):
        self.imgIds, self.catIds = [], []
        self.iouThrs = np.linspace(0.5, 0.95, 10, endpoint=True)
        self.recThrs = np.linspace(0.0, 1.0, 101, endpoint=True)
        self.maxDets = [1, 10, 100]
        self.areaRng = [[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]]
        self.areaRngLbl = ["all", "small", "medium", "large"]
        self.useCats = 1


class COCOeval:
    """evaluate(), accumulate() and summarize() as in pycocotools, for boxes.

    `cocoGt` and `cocoDt` are singleshot.COCO's or pycocotools'. `params` may be changed before evaluate(). Then `eval`
    holds precision (T, R, K, A, M), recall (T, K, A, M) and scores (T, R, K, A, M), with -1 where a category has no
    object, and `stats` the twelve numbers. `evalImgs` and `ious`, the matches of single images, stay empty.
    """

    def __init__(self, cocoGt=None, cocoDt=None, iouType="segm", *, threads=0):
        self.cocoGt, self.cocoDt, self.threads = cocoGt, cocoDt, threads
        self.params = Params(iouType)
        self.evalImgs, self.ious, self.eval, self.stats = [], {}, {}, []
        self._paramsEval, self._curves = None, None
        if cocoGt is not None:
            self.params.imgIds = sorted(cocoGt.getImgIds())
            self.params.catIds = sorted(cocoGt.getCatIds())

    def evaluate(self):
        """Matches detections and objects in all images of params.imgIds."""
        started = time.time()
        print("Running per image evaluation...")
        params = self.params
        _require_boxes("segm" if params.useSegm else params.iouType)
        print(f"Evaluate annotation type *{params.iouType}*")
        params.imgIds = list(np.unique(params.imgIds))
        if params.useCats:
            params.catIds = list(np.unique(params.catIds))
        params.maxDets = sorted(params.maxDets)
        self._curves = self._evaluated(params)
        self._paramsEval = copy.deepcopy(params)
        print(f"DONE (t={time.time() - started:0.2f}s).")

    def accumulate(self, p=None):
        """Puts the curves into `eval`; of other parameters, where they are given."""
        if self._curves is None:
            print("Please run evaluate() first")
            return
        print("Accumulating evaluation results...")
        started = time.time()
        curves, params = self._curves, self.params if p is None else p
        if p is not None and p is not self.params:
            curves = self._evaluated(p)
        precision, recall, scores = curves
        self.eval = {
            "params": params,
            "counts": list(precision.shape),
            "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            "precision": precision,
            "recall": recall,
            "scores": scores,
        }
        print(f"DONE (t={time.time() - started:0.2f}s).")

    def summarize(self):
        """Prints the twelve numbers and puts them into `stats`."""
        if not self.eval:
            raise Exception("Please run accumulate() first")
        most = self.params.maxDets
        rows = [(1, None, "all", 100), (1, 0.5, "all", most[2]), (1, 0.75, "all", most[2])]
        rows += [(1, None, size, most[2]) for size in ("small", "medium", "large")]
        rows += [(0, None, "all", limit) for limit in most[:3]]
        rows += [(0, None, size, most[2]) for size in ("small", "medium", "large")]
        self.stats = np.array([self._number(*row) for row in rows], np.float64)

    def _number(self, is_precision, iou, size, limit):
        params = self.params
        areas = [i for i, label in enumerate(params.areaRngLbl) if label == size]
        limits = [i for i, most in enumerate(params.maxDets) if most == limit]
        values = self.eval["precision"] if is_precision else self.eval["recall"]
        if iou is not None:
            values = values[np.where(iou == params.iouThrs)[0]]
        values = values[..., areas, :][..., limits]
        values = values[values > -1]
        mean = np.mean(values) if len(values) else -1
        title, short = ("Average Precision", "(AP)") if is_precision else ("Average Recall", "(AR)")
        overlap = f"{params.iouThrs[0]:0.2f}:{params.iouThrs[-1]:0.2f}" if iou is None else f"{iou:0.2f}"
        print(f" {title:<18} {short} @[ IoU={overlap:<9} | area={size:>6s} | maxDets={limit:>3d} ] = {mean:0.3f}")
        return mean

    def __str__(self):
        self.summarize()
        return ""

    def _evaluated(self, params):
        """precision, recall and scores, from as many evaluations as the axes are long."""
        objects = _ground_truth(self.cocoGt, params)
        found = _detections(self.cocoDt, params)
        categories = len(params.catIds) if params.useCats else 1
        ious, recalls = np.asarray(params.iouThrs, np.float64), np.asarray(params.recThrs, np.float64)
        areas = np.asarray(params.areaRng, np.float64).reshape(-1, 2)
        limits = np.asarray(params.maxDets, np.int64)
        shape = (len(ious), len(recalls), categories, len(areas), len(limits))
        precision, scores = np.full(shape, -1.0), np.full(shape, -1.0)
        recall = np.full(shape[:1] + shape[2:], -1.0)
        for t, r, a, m in itertools.product(
            _parts(ious, _IOUS), _parts(recalls, _RECALLS), _parts(areas, _AREAS), _parts(limits, _LIMITS)
        ):
            axes = _padded(ious[t], _IOUS), _padded(recalls[r], _RECALLS), _padded(areas[a], _AREAS), _padded(limits[m], _LIMITS)
            curves = _core.evaluate_coco(*objects, *found, *axes, len(params.imgIds), categories, self.threads)
            if all(part == slice(0, len(axis)) for part, axis in ((t, ious), (r, recalls), (a, areas), (m, limits))) and shape[
                :2
            ] + shape[3:] == (_IOUS, _RECALLS, _AREAS, _LIMITS):
                return curves  # the usual axes
            n, q, b, l = (part.stop - part.start for part in (t, r, a, m))
            precision[t, r, :, a, m] = curves[0][:n, :q, :, :b, :l]
            recall[t, :, a, m] = curves[1][:n, :, :b, :l]
            scores[t, r, :, a, m] = curves[2][:n, :q, :, :b, :l]
        return precision, recall, scores


def _parts(axis, most):
    return [slice(first, min(first + most, len(axis))) for first in range(0, len(axis), most)]


def _padded(part, length):
    """The part, with its last value repeated: what is evaluated beyond it is dropped."""
    return np.ascontiguousarray(np.concatenate([part, np.repeat(part[-1:], length - len(part), axis=0)]))


def _annotations_of(coco, params):
    """The annotations of the images, image by image, with the images' positions. Of annotations with the same id all
    are as the last one."""
    chosen, images = [], []
    for position, image in enumerate(params.imgIds):
        if image in coco.imgToAnns:
            own = coco.imgToAnns[image]
            chosen.extend(own)
            images.append((position, len(own)))
    places = np.array(images, np.int64).reshape(-1, 2)
    places = np.repeat(places[:, 0], places[:, 1])
    if len(coco.anns) != len(coco.dataset.get("annotations", ())):
        chosen = [coco.anns[annotation["id"]] for annotation in chosen]
        position_of = {image: position for position, image in enumerate(params.imgIds)}
        places = np.array([position_of.get(annotation["image_id"], -1) for annotation in chosen], np.int64)
    return chosen, places


def _columns(coco, params):
    """Annotations, positions of their images, positions of their categories, boxes; those of other categories are left
    out. Without categories all are in one, ordered as the categories are."""
    chosen, images = _annotations_of(coco, params)
    position_of = {category: position for position, category in enumerate(params.catIds)}
    categories = _core.positions_of(chosen, "category_id", position_of)
    if not params.useCats:
        order = np.argsort(categories, kind="stable")
        order = order[categories[order] >= 0]
        chosen = [chosen[i] for i in order]
        images, categories = images[order], np.zeros(len(order), np.int64)
    return chosen, images, categories, _core.boxes_of(chosen)


def _ground_truth(coco, params):
    chosen, images, categories, boxes = _columns(coco, params)
    # pycocotools takes a match with the annotation of id 0 for none.
    ids = np.fromiter((0 if a["id"] == 0 else i for i, a in enumerate(chosen, 1)), np.int64, len(chosen))
    crowds = np.fromiter((1 if a.get("iscrowd") else 0 for a in chosen), np.int64, len(chosen))
    return ids, images, categories, boxes, _core.numbers_of(chosen, "area", None), crowds


def _detections(coco, params):
    chosen, images, categories, boxes = _columns(coco, params)
    areas = _core.numbers_of(chosen, "area", -1)
    if np.any((areas >= 0) & (areas != boxes[:, 2] * boxes[:, 3])):
        raise ValueError("detections: got an area that is not its box's, expected results of boxes; load them with loadRes")
    return images, categories, boxes, _core.numbers_of(chosen, "score", None)
