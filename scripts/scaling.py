#!/usr/bin/env python3
"""Prints the tables of docs/scaling.md: what a training step of SSD300 computes and sends, and how its speed should grow
with processes and devices. A model, from the constants below; see that page for what it leaves out.

Usage: scripts/scaling.py [--core-rate BACKBONE=IMAGES_PER_S]... [--batch N]
"""
import argparse
import math

# Measured or compiled; docs/scaling.md says how.
CORE_RATE = {"resnet18": 4.0, "resnet34": 2.0, "resnet50": 1.2}  # training, f32, images/s of a core
LOADER_MS = 2.10       # of a core, for an image of COCO from its JPEG
BUCKET = 4 << 20       # bytes: backend/cpu/program.h
LOOK = 300e-6          # seconds between two looks at sums that are under way: processes/peer_watch.cc
RANKS_OF_HOST, CORES_OF_RANK = 2, 32
DEVICES = (8, 64, 256, 1024)
# By their maker: the clock from the peak rate of the matrix units; bytes/s that a device sends in an all-reduce; devices
# of a host and of the largest slice; bytes/s between slices.
TPUS = {"v3": {"clock": 0.94e9, "send": 166e9, "host": 8, "slice": 2048},
        "v5e": {"clock": 1.50e9, "send": 200e9, "host": 8, "slice": 256}}
POD_NETWORK = 6.4e12 / 8
# Of `singleshot compile` in bf16: kind, backbone, images of a device, cycles of a step.
COMPILED = [("v3", "resnet50", 128, 416989822), ("v5e", "resnet50", 128, 325495148), ("v5e", "resnet50", 8, 22823355),
            ("v5e", "resnet34", 128, 163607728), ("v5e", "resnet18", 128, 100686158)]

CLASSES = 81
BLOCKS = {"resnet18": (2, 2, 2), "resnet34": (3, 4, 6), "resnet50": (3, 4, 6)}
CHANNELS = {"resnet18": (256, 512, 512, 256, 256, 128), "resnet34": (256, 512, 512, 256, 256, 256),
            "resnet50": (1024, 512, 512, 256, 256, 256)}
MAPS, BOXES = (38, 19, 10, 5, 3, 1), (4, 6, 6, 6, 4, 4)


def layers(backbone, classes=CLASSES):
    """(parameters, multiply-adds of an image) of each convolution with its norm or bias, forwards."""
    made = []

    def convolution(inputs, outputs, kernel, size, vectors=2):
        weights = inputs * outputs * kernel * kernel
        made.append((weights + vectors * outputs, weights * size * size))

    convolution(3, 64, 7, 150)
    channels, wide = 64, 4 if backbone == "resnet50" else 1
    for stage, blocks in enumerate(BLOCKS[backbone]):
        planes, size = 64 << stage, 75 if stage == 0 else 38
        for block in range(blocks):
            before = 75 if stage == 1 and block == 0 else size  # the stride is in the 3x3
            if wide == 4:
                convolution(channels, planes, 1, before)
                convolution(planes, planes, 3, size)
                convolution(planes, 4 * planes, 1, size)
            else:
                convolution(channels, planes, 3, size)
                convolution(planes, planes, 3, size)
            if channels != wide * planes:
                convolution(channels, wide * planes, 1, size)
            channels = wide * planes
    for level, middle in enumerate((256, 256, 128, 128, 128), 1):
        convolution(CHANNELS[backbone][level - 1], middle, 1, MAPS[level - 1])
        convolution(middle, CHANNELS[backbone][level], 3, MAPS[level])
    for level in range(6):
        convolution(CHANNELS[backbone][level], BOXES[level] * (4 + classes), 3, MAPS[level], vectors=1)
    return made


def parameters(backbone, classes=CLASSES):
    return sum(count for count, _ in layers(backbone, classes))


def buckets(backbone):
    """(bytes, share of the backward pass that is over when it is full), in the order of the backward pass."""
    work = [2 * count for _, count in layers(backbone)]
    work[0] /= 2  # no gradient of the images
    made, full, done = [], 0, 0.0
    for (count, _), flops in zip(reversed(layers(backbone)), reversed(work)):
        done += flops
        full += 4 * count
        if full >= BUCKET:
            made.append((full, done / sum(work)))
            full = 0
    return made + [(full, 1.0)] if full else made


def sent(count, ranks):
    return 2 * (ranks - 1) / ranks * count


def step(backbone, seconds, hosts, bandwidth):
    """Seconds of a step whose computing takes `seconds`, with what the backward pass does not hide of the sums. The
    ranks of a host exchange their halves among themselves first: a host sends what a rank would if it had but one."""
    forward, free = seconds / 3, 0.0
    for size, share in buckets(backbone):
        ready = forward + share * (seconds - forward)
        free = max(free, ready) + sent(size, hosts) / bandwidth
    rounds = 2 * math.log2(RANKS_OF_HOST * hosts) * LOOK  # of the last bucket; the others' pass meanwhile
    return max(seconds, free + rounds)


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def print_bytes():
    rows = []
    for backbone in BLOCKS:
        count = parameters(backbone)
        early = sum(size for size, share in buckets(backbone) if share <= 0.5) / (4 * count)
        rows.append([backbone, f"{count:,}", f"{4 * count / 2**20:.1f}", str(len(buckets(backbone))),
                     *(f"{sent(4 * count, ranks) / 2**20:.1f}" for ranks in (2, 8, 64, 1024)), f"{early:.0%}"])
    table(["backbone", "parameters", "MiB", "buckets", "sent by a rank of 2, MiB", "of 8", "of 64", "of 1,024",
           "ready in the first half of the backward pass"], rows)


def print_hosts(options):
    """Hosts of two sockets, a rank a socket."""
    links = (2.8, 10, 25, 100)
    for backbone in BLOCKS:
        seconds = options.batch / (CORES_OF_RANK * options.core_rate[backbone])
        rows = []
        for ranks in DEVICES:
            row = [f"{ranks:,}"]
            for link in links:
                took = step(backbone, seconds, ranks // RANKS_OF_HOST, link * 1e9 / 8)
                row.append(f"{seconds / took:.0%}, {ranks * options.batch / took:,.0f}")
            rows.append(row)
        print(f"{backbone}, {options.batch} images a rank, {seconds:.3f} s of computing:\n")
        table(["ranks", *(f"{link} Gbit/s" for link in links)], rows)


def print_tpus():
    """One all-reduce after the backward pass. Slices of v5e end at 256 chips; more go through the hosts' network."""
    rows = []
    for kind, backbone, batch, cycles in COMPILED:
        tpu, count = TPUS[kind], 4 * parameters(backbone)
        seconds = cycles / tpu["clock"]
        row = [kind, backbone, str(batch), f"{1e3 * seconds:.0f}", f"{batch / seconds:.0f}"]
        for devices in DEVICES:
            slices = max(1, devices // tpu["slice"])
            sums = sent(count, devices // slices) / tpu["send"] + sent(count, slices) / POD_NETWORK
            row.append(f"{seconds / (seconds + sums):.1%}, {devices * batch / (seconds + sums):,.0f}")
        host = tpu["host"] * batch / seconds
        rows.append([*row, f"{host:,.0f}", f"{host * LOADER_MS / 1e3:.1f}"])
    table(["TPU", "backbone", "images of a device", "ms computing", "images/s of a device",
           *(f"{devices:,} devices" for devices in DEVICES), "images/s a host loads", "cores for that"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--core-rate", action="append", default=[], metavar="BACKBONE=IMAGES_PER_S")
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    options.core_rate = CORE_RATE | {name: float(rate) for name, rate in (pair.split("=") for pair in options.core_rate)}
    print_bytes()
    print_hosts(options)
    print_tpus()


if __name__ == "__main__":
    main()
