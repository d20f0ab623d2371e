"""Shares and quantiles of crops with 50 attempts a threshold, for random_crop_test.cc.

A second implementation, after the older PyTorch pipeline (SSDCropping of NVIDIA's SSD and of MLPerf's), with
the 50 attempts that its comment and the SSD paper's authors' sampler name. Needs Python alone.
"""
import random

IMAGES = [  # left, top, right, bottom
    [(0.1, 0.1, 0.2, 0.3), (0.5, 0.4, 0.99, 0.8)],
    [(0.3, 0.2, 0.8, 0.9)],
    [(0.05, 0.55, 0.25, 0.75), (0.4, 0.5, 0.6, 0.8), (0.7, 0.1, 0.9, 0.3)],
    [(0.0, 0.0, 1.0, 1.0), (0.45, 0.45, 0.55, 0.55)],
]
CONDITIONS = [None, 0.1, 0.3, 0.5, 0.7, 0.9, float("-inf")]


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def crop(boxes):
    while True:
        least = random.choice(CONDITIONS)
        if least is None:
            return None
        for _ in range(50):
            w, h = random.uniform(0.3, 1.0), random.uniform(0.3, 1.0)
            if w / h < 0.5 or w / h > 2:
                continue
            left, top = random.uniform(0, 1 - w), random.uniform(0, 1 - h)
            part = (left, top, left + w, top + h)
            if not all(overlap(box, part) > least for box in boxes):
                continue
            centres = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes]
            if any(part[0] < x < part[2] and part[1] < y < part[3] for x, y in centres):
                return part


random.seed(1)
for boxes in IMAGES:
    draws = 100000
    parts = [crop(boxes) for _ in range(draws)]
    cut = [p for p in parts if p]
    areas = sorted((p[2] - p[0]) * (p[3] - p[1]) for p in cut)
    widths = sorted(p[2] - p[0] for p in cut)
    print(f"{{{1 - len(cut) / draws:.4f}, {{", ", ".join(f"{areas[int(q * (len(cut) - 1))]:.4f}" for q in (0.05, 0.25, 0.5, 0.75, 0.95)),
          "}, {", ", ".join(f"{widths[int(q * (len(cut) - 1))]:.4f}" for q in (0.05, 0.25, 0.5, 0.75, 0.95)), "}},")
