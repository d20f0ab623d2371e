#!/usr/bin/env python3
"""Writes coco_cases.json: small hard cases of COCO evaluation with what pycocotools computes for them.

usage: make_coco_cases.py OUT.json [COCO_EVAL_DIR]     needs: numpy pycocotools
COCO_EVAL_DIR adds the digests of the two public pairs of annotations and detections, which lie elsewhere.
"""
import contextlib, io, json, sys
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def digest(array):
    """FNV-1a of the array's 64-bit words, in C order."""
    h = 0xCBF29CE484222325
    for word in np.ascontiguousarray(array, dtype=np.float64).view(np.uint64).ravel().tolist():
        h = ((h ^ word) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def evaluate(truth, detections, image_ids=None):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = truth
        gt.createIndex()
        e = COCOeval(gt, gt.loadRes(detections), "bbox")
        if image_ids is not None:
            e.params.imgIds = image_ids
        e.evaluate(), e.accumulate(), e.summarize()
    return e


def expected(e):
    p = e.eval["precision"]
    per_category = []
    for k in range(p.shape[2]):
        s = p[:, :, k, 0, 2]
        s = s[s > -1]
        per_category.append(float(np.mean(s)) if len(s) else -1.0)
    return {"stats": [float(v) for v in e.stats], "categories": per_category, "precision": digest(p),
            "recall": digest(e.eval["recall"]), "scores": digest(e.eval["scores"])}


class Case:
    def __init__(self, name, seed):
        self.name, self.rng = name, np.random.default_rng(seed)
        self.images, self.categories, self.boxes, self.found, self.image_ids = [], [], [], [], None

    def number(self, low, high):
        return round(float(self.rng.uniform(low, high)), 2)

    def object(self, image, category, box=None, crowd=0, area=None, id=None):
        box = box or [self.number(0, 400), self.number(0, 300), self.number(4, 200), self.number(4, 180)]
        area = round(box[2] * box[3] * float(self.rng.uniform(0.4, 1)), 3) if area is None else area
        self.boxes.append([len(self.boxes) + 1 if id is None else id, image, category, *box, area, crowd])

    def detection(self, image, category, box=None, score=None):
        box = box or [self.number(0, 400), self.number(0, 300), self.number(4, 200), self.number(4, 180)]
        self.found.append([image, category, *box, self.number(0, 1) if score is None else score])

    def near(self, share, score=None):
        """Detections about the objects, moved and stretched by up to the share of their sizes."""
        for _, image, category, x, y, w, h, _, _ in list(self.boxes):
            d = self.rng.uniform(-share, share, 4)
            box = [round(x + w * d[0], 2), round(y + h * d[1], 2), round(w * (1 + d[2]), 2), round(h * (1 + d[3]), 2)]
            self.detection(image, category, box, score() if score else None)

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def finish(self):
        order = self.rng.permutation(len(self.found))
        self.found = [self.found[i] for i in order]
        truth = {"info": {}, "images": [{"id": i} for i in self.images], "categories": [{"id": c} for c in self.categories],
                 "annotations": [{"id": b[0], "image_id": b[1], "category_id": b[2], "bbox": b[3:7], "area": b[7], "iscrowd": b[8]}
                                 for b in self.boxes]}
        found = [{"image_id": d[0], "category_id": d[1], "bbox": d[2:6], "score": d[6]} for d in self.found]
        return {"name": self.name, "images": self.images, "categories": self.categories, "objects": self.boxes,
                "detections": self.found, "image_ids": self.image_ids or self.images,
                "expected": expected(evaluate(truth, found, self.image_ids))}


def cases():
    c = Case("equal scores", 1)
    c.images, c.categories = [5, 3, 9, 1], [2, 1]
    for _ in range(40): c.object(c.pick(c.images), c.pick(c.categories))
    for _ in range(3): c.near(0.25, lambda: c.pick([0.25, 0.5, 0.75]))
    yield c

    c = Case("crowds and overlapping objects", 2)
    c.images, c.categories = [1, 2, 3], [1, 18]
    for _ in range(30):
        box = [c.number(0, 60), c.number(0, 60), c.number(40, 160), c.number(40, 160)]
        c.object(c.pick(c.images), c.pick(c.categories), box, int(c.rng.random() < 0.4))
    for _ in range(3): c.near(0.3)
    yield c

    c = Case("boxes without area", 3)
    c.images, c.categories = [1, 2], [7]
    for i in (1, 2):
        c.object(i, 7, [10, 10, 0, 50]), c.object(i, 7, [10, 10, 0, 0]), c.object(i, 7, [10, 10, 30, 30], area=0)
        c.object(i, 7, [50, 50, 20, 20])
        for box in ([10, 10, 0, 50], [10, 10, 0, 0], [10, 10, 30, 30], [50, 50, 20, 20], [70, 70, -20, -20], [50, 50, -20, 20]):
            c.detection(i, 7, box)
    c.object(2, 7, [100, 100, 30, 30], crowd=1), c.detection(2, 7, [110, 110, 0, 10])
    yield c

    c = Case("absent categories, empty images, no detections, gaps", 4)
    c.images, c.categories = [900000000000, 12, 77, 13, 40], [90, 3, 1, 50]
    for _ in range(12): c.object(c.pick([12, 13]), c.pick([90, 3]))
    c.near(0.2)
    c.detection(77, 90), c.detection(77, 1), c.detection(12, 1)
    c.detection(12, 444), c.object(12, 555), c.object(31337, 90), c.object(40, 50)
    yield c

    c = Case("more than 100 detections", 5)
    c.images, c.categories = [1, 2], [1]
    for i in c.images:
        for _ in range(25): c.object(i, 1)
    for k in range(7): c.near(0.1 + 0.1 * k)
    yield c

    c = Case("areas on the borders of the ranges", 6)
    c.images, c.categories = [1], [1]
    for k, (w, h) in enumerate([(32, 32), (96, 96), (31.99, 32), (32.01, 32), (96, 95.99), (96, 96.01)]):
        c.object(1, 1, [150.0 * k, 10, w, h], area=w * h), c.detection(1, 1, [150.0 * k, 10, w, h])
        c.object(1, 1, [150.0 * k, 200, w, h], area=9216 if k % 2 else 1024), c.detection(1, 1, [150.0 * k, 210, w, h])
        c.detection(1, 1, [150.0 * k, 400, w, h])
    yield c

    c = Case("overlaps on the thresholds", 7)
    c.images, c.categories = [1], [1]
    for k in range(20):
        c.object(1, 1, [200 * k, 0, 100, 100], area=10000), c.detection(1, 1, [200 * k, 0, 100, 50 + 5 * (k % 11)])
        c.detection(1, 1, [200 * k, 100 - 50 - 5 * (k % 11), 100, 50 + 5 * (k % 11)])
    yield c

    c = Case("annotation id 0, equal ids", 8)
    c.images, c.categories = [1, 2], [1, 2]
    for k in range(10): c.object(c.pick(c.images), c.pick(c.categories), id=k)
    for k in range(6): c.object(c.pick(c.images), c.pick(c.categories), id=3 + k // 2)
    c.near(0.15), c.near(0.1)
    yield c

    c = Case("only ignored objects", 9)
    c.images, c.categories = [1, 2], [1, 2]
    for i in c.images: c.object(i, 1, crowd=1), c.object(i, 1, area=2e10), c.object(i, 2)
    c.near(0.2)
    yield c

    c = Case("a part of the images", 10)
    c.images, c.categories = list(range(1, 13)), [1, 2, 3]
    for _ in range(25): c.object(c.pick(c.images[::2]), c.pick(c.categories), crowd=int(c.rng.random() < 0.1))
    c.near(0.2)
    for _ in range(20): c.detection(c.pick(c.images), c.pick(c.categories))
    c.image_ids = sorted({b[1] for b in c.boxes})
    yield c


if __name__ == "__main__":
    out = {"cases": [c.finish() for c in cases()], "sets": {}}
    if len(sys.argv) > 2:
        for name, gt, dt in (("cocoapi-fakebbox100", "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"),
                             ("coco-sampled-bbox-area", "sampled_gts_bbox_area.json", "sampled_bbox_results.json")):
            found = json.load(open(f"{sys.argv[2]}/{name}/{dt}"))
            found = found if isinstance(found, list) else found["annotations"]
            truth = json.load(open(f"{sys.argv[2]}/{name}/{gt}"))
            out["sets"][name] = {"ground_truth": gt, "detections": dt, "expected": expected(evaluate(truth, found))}
    text = json.dumps(out, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"sets":', '\n"sets":')
    open(sys.argv[1], "w").write(text + "\n")
