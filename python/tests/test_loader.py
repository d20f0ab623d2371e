"""Loader: what its batches hold, who owns their memory, and where a stream goes on."""

import itertools
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import singleshot
from conftest import ROOT

DATA = ROOT / "samples" / "blood-cells"


def batches(count, **options):
    loader = singleshot.Loader(DATA, **{"batch_size": 4, "threads": 2, "seed": 7, **options})
    return list(itertools.islice(loader, count))


def equal(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("images", "match", "boxes", "labels", "samples"))


def test_shapes_and_types():
    loader = singleshot.Loader(DATA, batch_size=4)
    batch = next(loader)
    room = loader.max_boxes
    assert batch.images.shape == (4, 300, 300, 3) and batch.images.dtype == np.uint8
    assert batch.match.shape == (4, 8732) and batch.match.dtype == np.int32
    assert batch.boxes.shape == (4, room, 4) and batch.boxes.dtype == np.float32
    assert batch.labels.shape == (4, room) and batch.labels.dtype == np.int32
    assert batch.labels.max() <= len(loader.categories) and len(batch) == 4
    assert loader.samples > 0 and loader.batches == 0
    assert batch.images.flags.c_contiguous and batch.images.flags.writeable and batch.images.ctypes.data % 64 == 0


def test_a_seed_gives_one_stream_whatever_the_threads():
    one, other = batches(5), batches(5, threads=1)
    assert all(equal(a, b) for a, b in zip(one, other, strict=True))
    assert not equal(one[0], batches(1, seed=8)[0])


def test_a_stream_goes_on_where_another_stopped():
    first = batches(6)
    rest = batches(3, begin=first[2].next_position)
    assert all(equal(a, b) for a, b in zip(first[3:], rest, strict=True))


def test_two_ranks_share_a_batch():
    whole = batches(3)
    halves = [batches(3, batch_size=2, rank=rank, world=2) for rank in (0, 1)]
    for batch, left, right in zip(whole, *halves, strict=True):
        assert np.array_equal(batch.images, np.concatenate([left.images, right.images]))


def test_memory_goes_round_and_held_batches_stay():
    loader = singleshot.Loader(DATA, batch_size=2, threads=1, buffers=4)
    addresses = set()
    for batch in itertools.islice(loader, 20):
        addresses.add(batch.images.ctypes.data)
    assert len(addresses) <= 4, "batches are looked at where the loader made them"
    held = [next(loader) for _ in range(12)]  # more than there are buffers
    copies = [batch.images.copy() for batch in held]
    for _ in range(12):
        next(loader)
    assert all(np.array_equal(batch.images, copy) for batch, copy in zip(held, copies))
    images = held[0].images
    del loader, held, batch
    assert np.array_equal(images, copies[0]), "arrays outlive their loader"


def test_the_match_is_that_of_the_paper():
    """Liu et al. 2016, 2.2: a default box learns the box it overlaps most, from 0.5 on; each box has its best one."""
    batch = batches(1)[0]
    defaults = singleshot.default_boxes().astype(np.float64)
    corners = lambda b: np.concatenate([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1)
    for match, boxes, labels in zip(batch.match, batch.boxes, batch.labels):
        boxes = boxes[labels > 0].astype(np.float64)
        if not len(boxes):
            assert (match == -1).all()
            continue
        a, b = corners(defaults)[:, None], corners(boxes)[None]
        sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
        common = sides.prod(2)
        area = lambda c: (c[..., 2:] - c[..., :2]).prod(-1)
        iou = common / (area(a) + area(b) - common)
        expected = np.where(iou.max(1) > 0.5, iou.argmax(1), -1)
        best = iou.argmax(0)
        far_from_the_threshold = np.abs(iou.max(1) - 0.5) > 1e-5
        free = far_from_the_threshold & ~np.isin(np.arange(len(match)), best)
        assert np.array_equal(match[free], expected[free])
        assert all((match >= 0) & np.isin(match, match[match >= 0]) | (match == -1))
        assert (match[best] >= 0).all()


def test_an_evaluation_ends_and_has_no_targets():
    loader = singleshot.Loader(DATA, "val", train=False, batch_size=3, threads=1)
    seen = list(loader)
    assert len(seen) == loader.batches and sum(len(batch) for batch in seen) == loader.samples
    assert all(batch.match is None and batch.boxes is None and batch.labels is None for batch in seen)
    assert seen[-1].images.shape[0] == len(seen[-1]) == (loader.samples - 1) % 3 + 1
    assert next(loader, None) is None


def test_the_gil_is_free_while_a_batch_is_awaited():
    loader = singleshot.Loader(DATA, batch_size=64, threads=1, buffers=3)
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    next(loader)
    done.set()
    thread.join()
    assert counted[0] > 5


def test_what_makes_no_sense_is_refused():
    for options, message in (
        ({"data": "/nowhere"}, "/nowhere"),
        ({"split": "holiday"}, "holiday"),
        ({"augment": "blur"}, "blur"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"seed": -1}, "seed: got -1"),
        ({"begin": (1,)}, "begin: got .1,., expected .epoch, sample."),
        ({"begin": 3}, "begin: got .3,."),
        ({"begin": (2**40, 0)}, "begin: got 1099511627776"),
        ({"threads": -2}, "threads: got -2"),
        ({"buffers": 1}, "buffers: got 1"),
        ({"rank": 2, "world": 2}, "shard: got 2"),
        ({"bad_images": "eat"}, "bad_images: got 'eat'"),
        ({"data": None}, "data: got None"),
    ):
        with pytest.raises(ValueError, match=message):
            singleshot.Loader(**{"data": DATA, **options})
    for options, message in (
        ({"batch_size": "2"}, "batch_size: got '2', expected a whole number"),
        ({"batch_size": 2.0}, "batch_size: got 2.0"),
        ({"augment": ["flip"]}, "augment: got list"),
        ({"split": None}, "split: got NoneType"),
    ):
        with pytest.raises(TypeError, match=message):
            singleshot.Loader(**{"data": DATA, **options})


def test_a_fork_leaves_the_loader_to_the_parent():
    script = (
        "import os, sys, singleshot\n"
        "loader = singleshot.Loader(sys.argv[1], batch_size=2, threads=1)\n"
        "batch = next(loader)\n"
        "if (child := os.fork()) == 0:\n"
        "    try: next(loader)\n"
        "    except singleshot.Error as error: print(error, flush=True)\n"
        "    del loader, batch\n"
        "    sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(next(loader)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run([sys.executable, "-c", script, DATA], capture_output=True, text=True, timeout=120, env=environment)
    assert made.stdout.splitlines() == [
        "loader: got a call after a fork, expected the process that made it; make one in each process",
        "7 2",
    ], made.stderr
