#!/usr/bin/env python3
"""Writes trajectories.json: what PyTorch's training of SSD300 (ResNet-18) comes to, step by step.

usage: make_trajectories.py [--run NAME]... [OUT]     needs: torch (1.10 or newer), numpy; about half an hour on two cores

Every run of RUNS is made in float64 and, as a measure of what float32 may differ by, in float32 twice (PyTorch's two
layouts, which sum in different orders). Weights, images and boxes come from a formula, so that another program can build
them: uniform() below; make_batch() says what is made of it. trajectory_test.cc holds this program's training against the file.

The file has for each run: the options as below; "rate", one a step; "loss", the mean over a step's micro-batches, one a
step; "float32_loss" of the two float32 runs; "changes" and, with ema, "average_changes": how far each trained tensor has gone from
where it started, as [norm, projection on the formula's values for "projection/NAME" divided by their root of
count]; "statistics", the norms of the running statistics at the end; and "float32_*": how far the float32 runs are from
that, relative to the size of a tensor's change: the largest and the median over the tensors, of the worse run.
"positives": default boxes matched, for every batch and image.
"""
import argparse
import json
import math
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 11  # with background; few, for speed
IMAGES, BOXES, BATCHES = 4, 3, 5  # of a micro-batch; boxes an image; different micro-batches, fed in turn
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESOLUTION = 1e-6  # changes smaller than this share of a tensor are lost in float32's rounding

# Defaults are the recipe's. Steps from `accumulate_from` on have two micro-batches, earlier ones have one.
DEFAULTS = dict(steps=6, base_rate=3.25e-4, shape="multistep", warmup=0, milestones=[], accumulate_from=1000, optimizer="sgd",
                momentum=0.9, weight_decay=5e-4, trust_coefficient=1e-3, epsilon=1e-8, ema=0, clip_norm=0,
                frozen_stages=0, label_smoothing=0, loc_weight=1, conf_weight=1)
RUNS = {
    "adamw": dict(steps=6, base_rate=1e-4, shape="cosine", warmup=2, optimizer="adamw", ema=0.8),
    "lars": dict(steps=5, base_rate=0.02, shape="cosine", warmup=1, optimizer="lars", trust_coefficient=0.02),
    "clipped": dict(steps=4, clip_norm=2.0, accumulate_from=3),
    "tuned": dict(steps=4, frozen_stages=2, label_smoothing=0.1, loc_weight=2, conf_weight=0.5),
    "recipe": dict(steps=40, warmup=10, milestones=[25], accumulate_from=35),
}


# ---- values by formula -------------------------------------------------------------------------------
def uniform(name, count):
    """`count` doubles in [-1, 1): splitmix64 of the name's FNV-1a hash + (i + 1) * the golden ratio's constant."""
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = ((hashed ^ byte) * 0x100000001B3) % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(hashed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53 * 2 - 1


def initial(name, tensor):
    """As model/formula_weights.h has them."""
    u = torch.from_numpy(uniform(name, tensor.numel())).reshape(tensor.shape)
    head = name.startswith(("loc.", "conf."))
    if name.endswith(("running_mean", "running_var")):
        return torch.full_like(tensor, float(name.endswith("var")))
    if tensor.dim() == 4:
        return (0.3 if head else 1.0) * math.sqrt(6.0 / tensor[0].numel()) * u
    if head:
        return 0.05 * u
    return 1 + 0.1 * u if name.endswith("weight") else 0.1 * u


def make_batch(index):
    """Images u8 (N,300,300,3) of 10 x 10 coloured squares with grain; boxes f32 (N,G,4) cxcywh; labels (N,G)."""
    squares = np.floor((uniform(f"squares/{index}", IMAGES * 300) + 1) * 128).astype(np.int64).reshape(IMAGES, 10, 10, 3)
    grain = np.floor((uniform(f"grain/{index}", IMAGES * 270000) + 1) * 128).astype(np.int64).reshape(IMAGES, 300, 300, 3)
    images = (3 * squares.repeat(30, 1).repeat(30, 2) + grain) // 4
    u = uniform(f"boxes/{index}", IMAGES * BOXES * 4).reshape(IMAGES, BOXES, 4)
    size = 0.35 + 0.25 * u[..., 2:]
    boxes = np.concatenate([0.5 + (1 - size) / 2 * u[..., :2], size], 2).astype(np.float32)
    labels = 1 + np.floor((uniform(f"labels/{index}", IMAGES * BOXES) + 1) * (CLASSES // 2)).astype(np.int64).reshape(IMAGES, BOXES)
    return torch.from_numpy(images), torch.from_numpy(boxes), torch.from_numpy(labels)


# ---- the network -------------------------------------------------------------------------------------
class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def stage(inputs, outputs, stride):
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))


class SSD300(nn.Module):
    """The reference's, with its names in the state_dict."""

    def __init__(self):
        super().__init__()
        self.feature_extractor = nn.Module()
        self.feature_extractor.feature_extractor = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            stage(64, 64, 1), stage(64, 128, 2), stage(128, 256, 1))
        channels, middle, per_cell = [256, 512, 512, 256, 256, 128], [256, 256, 128, 128, 128], [4, 6, 6, 6, 4, 4]
        self.additional_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, m, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU(),
                          nn.Conv2d(m, b, 3, 2 if i < 3 else 1, 1 if i < 3 else 0, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for i, (a, b, m) in enumerate(zip(channels[:-1], channels[1:], middle)))
        self.loc = nn.ModuleList(nn.Conv2d(c, n * 4, 3, padding=1) for c, n in zip(channels, per_cell))
        self.conf = nn.ModuleList(nn.Conv2d(c, n * CLASSES, 3, padding=1) for c, n in zip(channels, per_cell))

    def forward(self, x):
        maps = [self.feature_extractor.feature_extractor(x)]
        for block in self.additional_blocks:
            maps.append(block(maps[-1]))
        loc = torch.cat([head(f).reshape(len(x), 4, -1) for head, f in zip(self.loc, maps)], 2)
        conf = torch.cat([head(f).reshape(len(x), CLASSES, -1) for head, f in zip(self.conf, maps)], 2)
        return loc, conf

    def freeze(self, stages):
        """Stem, layer1, layer2, layer3: not trained; batch norms by their running statistics."""
        modules = self.feature_extractor.feature_extractor
        self.frozen = [m for part in ([modules[:2]], [modules[4]], [modules[5]], [modules[6]])[:stages] for m in part]
        for module in self.frozen:
            module.eval()
            for parameter in module.parameters():
                parameter.requires_grad_(False)


# ---- default boxes, targets, loss --------------------------------------------------------------------
def default_boxes():
    """f32 (8732,4) cxcywh."""
    scales, steps, rows = [21, 45, 99, 153, 207, 261, 315], [8, 16, 32, 64, 100, 300], []
    for k, (size, ratios) in enumerate(zip([38, 19, 10, 5, 3, 1], [[2], [2, 3], [2, 3], [2, 3], [2], [2]])):
        small, large = scales[k] / 300, scales[k + 1] / 300
        shapes = [(small, small), (math.sqrt(small * large),) * 2]
        for a in ratios:
            shapes += [(small * math.sqrt(a), small / math.sqrt(a)), (small / math.sqrt(a), small * math.sqrt(a))]
        rows += [((j + 0.5) / (300 / steps[k]), (i + 0.5) / (300 / steps[k]), w, h)
                 for w, h in shapes for i in range(size) for j in range(size)]
    return torch.tensor(rows, dtype=torch.float32).clamp(0, 1)


def iou(a, b):
    def corners(x):
        return x[:, None, :2] - x[:, None, 2:] / 2, x[:, None, :2] + x[:, None, 2:] / 2
    (a0, a1), (b0, b1) = corners(a.double()), corners(b.double())
    overlap = (torch.minimum(a1, b1.transpose(0, 1)) - torch.maximum(a0, b0.transpose(0, 1))).clamp(min=0).prod(2)
    return overlap / ((a1 - a0).prod(2) + (b1 - b0).prod(2).T - overlap)


def targets(boxes, labels, defaults):
    """One image's boxes (G,4) cxcywh -> of every default box its target (8732,4) cxcywh and label, 0 for none."""
    table = iou(boxes, defaults)
    best, which = table.max(0)
    forced = table.max(1).indices
    assert (best - 0.5).abs().min() > 1e-6, "a default box at the threshold: choose other boxes"
    for box, default in enumerate(forced.tolist()):
        best[default], which[default] = 2, box
    hit = best > 0.5
    return torch.where(hit[:, None], boxes[which], defaults), torch.where(hit, labels[which], torch.zeros_like(which))


def multibox_loss(loc, conf, box, label, defaults, options):
    goal = torch.cat([(box[..., :2] - defaults[:, :2]) / defaults[:, 2:] / 0.1,
                      torch.log(box[..., 2:] / defaults[:, 2:]) / 0.2], 2).transpose(1, 2)
    positive = label > 0
    count = positive.sum(1)
    loc_loss = (F.smooth_l1_loss(loc, goal, reduction="none").sum(1) * positive).sum(1)
    entropy = F.cross_entropy(conf, label, reduction="none", label_smoothing=options["label_smoothing"])
    negative = torch.where(positive, torch.zeros_like(entropy), entropy)
    rank = negative.sort(dim=1, descending=True, stable=True).indices.argsort(1)
    kept = rank < torch.clamp(3 * count, max=label.shape[1]).unsqueeze(1)
    conf_loss = (entropy * (positive.to(entropy.dtype) + kept.to(entropy.dtype))).sum(1)
    total = options["loc_weight"] * loc_loss + options["conf_weight"] * conf_loss
    return (total * (count > 0) / count.clamp(min=1e-6)).mean()


# ---- optimization ------------------------------------------------------------------------------------
def rate_at(step, options):
    rate, warmup = options["base_rate"], options["warmup"]
    if step < warmup:
        return rate * step / warmup
    if options["shape"] == "cosine":
        return rate * (1 + math.cos(math.pi * (step - warmup) / (options["steps"] - warmup))) / 2
    return rate * 0.1 ** sum(step >= milestone for milestone in options["milestones"])


class Lars(torch.optim.Optimizer):
    """You, Gitman and Ginsburg 2017, the learning rate outside of the momentum; plain momentum for rank 1.

    `layers`: tensors of rank > 1 that are one layer and share a trust ratio, by their norm together."""

    def __init__(self, groups, layers, momentum, trust_coefficient, epsilon):
        super().__init__(groups, dict(lr=0.0, momentum=momentum, trust=trust_coefficient, epsilon=epsilon))
        self.layers = layers

    @staticmethod
    def norm(tensors):
        return math.sqrt(sum(t.double().square().sum().item() for t in tensors))

    @torch.no_grad()
    def step(self):
        decaying, others = self.param_groups
        trust = {p: 1.0 for p in others["params"]}
        for layer in self.layers:
            w, g = self.norm(layer), self.norm([p.grad for p in layer])
            ratio = decaying["trust"] * w / (g + decaying["weight_decay"] * w + decaying["epsilon"]) if w > 0 and g > 0 else 1.0
            trust.update({p: ratio for p in layer})
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(trust[p] * (p.grad + group["weight_decay"] * p))
                p.sub_(group["lr"] * buffer)


def layers_of(model):
    """A head's loc and conf are one convolution."""
    layers = {}
    for name, p in model.named_parameters():
        if p.requires_grad and p.dim() > 1:
            layers.setdefault(name.replace("loc.", "head.").replace("conf.", "head."), []).append(p)
    return list(layers.values())


def make_optimizer(model, options):
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [dict(params=[p for p in trained if p.dim() > 1], weight_decay=options["weight_decay"]),
              dict(params=[p for p in trained if p.dim() <= 1], weight_decay=0.0)]
    if options["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), eps=options["epsilon"])
    if options["optimizer"] == "lars":
        return Lars(groups, layers_of(model), options["momentum"], options["trust_coefficient"], options["epsilon"])
    return torch.optim.SGD(groups, lr=0.0, momentum=options["momentum"])


# ---- runs --------------------------------------------------------------------------------------------
def train(options, data, dtype, layout):
    """Losses, and the tensors at the start and at the end."""
    model = SSD300()
    model.load_state_dict({k: initial(k, v) if v.dtype.is_floating_point else v for k, v in model.state_dict().items()})
    model = model.to(dtype=dtype, memory_format=layout)
    model.freeze(options["frozen_stages"])
    optimizer, losses, micro = make_optimizer(model, options), [], 0
    first = {k: v.detach().double().clone() for k, v in model.state_dict().items()}
    names = [k for k, p in model.named_parameters() if p.requires_grad]
    average = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}
    for step in range(options["steps"]):
        optimizer.zero_grad()
        micros, total = (2 if step >= options["accumulate_from"] else 1), 0.0
        for _ in range(micros):
            images, boxes, labels = (t.to(dtype) if t.dtype.is_floating_point else t for t in data[micro % BATCHES])
            loc, conf = model(images.contiguous(memory_format=layout))
            loss = multibox_loss(loc, conf, boxes, labels, DEFAULT_BOXES.to(dtype), options)
            (loss / micros).backward()
            total += loss.item() / micros
            micro += 1
        if options["clip_norm"]:
            nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], options["clip_norm"])
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, options)
        optimizer.step()
        with torch.no_grad():
            for k, p in model.named_parameters():
                if k in average:
                    average[k].mul_(options["ema"]).add_(p, alpha=1 - options["ema"])
        losses.append(total)
        print(dtype, layout, "step", step, "loss", total, flush=True)
    last = {k: v.detach().double().clone() for k, v in model.state_dict().items()}
    return losses, first, last, {k: average[k].double() for k in names}


def changes(first, last, names):
    rows = {}
    for name in names:
        moved = (last[name] - first[name]).flatten()
        direction = torch.from_numpy(uniform(f"projection/{name}", len(moved)))
        rows[name] = [moved.norm().item(), (moved @ direction).item() / math.sqrt(len(moved))]
    return rows


def statistics(last):
    return {k: [v.norm().item()] for k, v in last.items() if "running_" in k}


def differences(rows, expected, first):
    """Of every tensor, relative to the norm of its change, or to what float32 can tell of it if that is more."""
    result = []
    for name in expected:
        size = max(expected[name][0], RESOLUTION * first[name].norm().item())
        if size > 0:
            result.append(max(abs(a - b) for a, b in zip(rows[name], expected[name])) / size)
    return result


def measure(result, data):
    """What float32 makes of a run whose float64 numbers `result` holds."""
    found = {key: [] for key in ("changes", "average_changes", "statistics") if key in result}
    result["float32_loss"] = []
    for layout in (torch.contiguous_format, torch.channels_last):
        losses, first, last, average = train(result, data, torch.float32, layout)
        result["float32_loss"].append(losses)
        rows = dict(changes=changes(first, last, average), average_changes=changes(first, average, average),
                    statistics=statistics(last))
        for key, all_differences in found.items():
            all_differences.append(differences(rows[key], result[key], first))
    for key, all_differences in found.items():
        result["float32_" + key] = dict(largest=max(map(max, all_differences)), median=max(map(median, all_differences)))


def record(options, data):
    result = dict(options)
    result["rate"] = [rate_at(step, options) for step in range(options["steps"])]
    losses, first, last, average = train(options, data, torch.float64, torch.contiguous_format)
    result["loss"], result["changes"], result["statistics"] = losses, changes(first, last, average), statistics(last)
    if options["ema"]:
        result["average_changes"] = changes(first, average, average)
    measure(result, data)
    return result


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


DEFAULT_BOXES = default_boxes()


def make_data():
    """The micro-batches as train() takes them; of each, the positives an image."""
    data, positives = [], []
    for index in range(BATCHES):
        images, boxes, labels = make_batch(index)
        pairs = [targets(b, l, DEFAULT_BOXES) for b, l in zip(boxes, labels)]
        box, label = torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])
        positives.append((label > 0).sum(1).tolist())
        mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in (MEAN, STD))
        data.append(((images.permute(0, 3, 1, 2).double() / 255 - mean) / std, box, label))
    return data, positives


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).with_name("trajectories.json"))
    parser.add_argument("--run", action="append", choices=RUNS, help="this run alone; the file keeps the others")
    chosen = parser.parse_args()
    data, positives = make_data()
    result = json.loads(chosen.out.read_text()) if chosen.run and chosen.out.exists() else dict(runs={})
    result.update(torch=torch.__version__, images=IMAGES, boxes=BOXES, batches=BATCHES, positives=positives, classes=CLASSES)
    for name in chosen.run or RUNS:
        print(name, flush=True)
        result["runs"][name] = rounded(record({**DEFAULTS, **RUNS[name]}, data))
        chosen.out.write_text(json.dumps(result, separators=(",", ":")).replace('{"steps"', '\n{"steps"') + "\n")


if __name__ == "__main__":
    main()
