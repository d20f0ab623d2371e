"""Detector: images in every form, from threads, bad ones; the program's own detections are the second opinion."""

import io
import json
import os
import pathlib
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import singleshot
from conftest import ROOT

PROGRAM = ROOT / "build" / "release" / "singleshot"
LOW = 0.3


@pytest.fixture(scope="module")
def detector(checkpoint):
    return singleshot.Detector(checkpoint, threads=1)


def noise(*shape):
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("boxes", "scores", "labels", "category_ids"))


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_finds_what_the_program_finds(precision, checkpoint, photos, tmp_path):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM}: not built")
    try:
        detector = singleshot.Detector(checkpoint, threads=1, precision=precision)
    except singleshot.Error as error:
        if "AVX512_BF16" not in str(error):
            raise
        pytest.skip(str(error))
    command = [PROGRAM, "detect", "--checkpoint", checkpoint, "--out", tmp_path, "--no-drawings", "--threads", "1"]
    command += ["--precision", precision, "--score", str(LOW), *photos]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    expected = json.loads((tmp_path / "detections.json").read_text())
    found = detector.detect(photos, score=LOW)
    assert sum(len(image["detections"]) for image in expected) > 0
    for image, own in zip(expected, found, strict=True):
        assert (own.width, own.height) == (image["width"], image["height"])
        boxes = np.array([d["bbox"] for d in image["detections"]]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        np.testing.assert_allclose(own.boxes, boxes, atol=1e-3)
        np.testing.assert_allclose(own.scores, [d["score"] for d in image["detections"]], atol=1e-6)
        assert own.category_ids.tolist() == [d["category_id"] for d in image["detections"]]


def test_paths_and_bytes_are_the_same_image(detector, photos):
    of_path = detector.detect(photos[0], score=LOW)
    assert len(of_path) > 0 and of_path.boxes.dtype == np.float32 and of_path.boxes.shape[1] == 4
    raw = photos[0].read_bytes()
    for other in (str(photos[0]), raw, bytearray(raw), memoryview(raw)):
        assert same(of_path, detector.detect(other, score=LOW))


def test_open_files_are_read(detector, photos):
    of_path = detector.detect(photos[0], score=LOW)
    assert same(of_path, detector.detect(io.BytesIO(photos[0].read_bytes()), score=LOW))
    with open(photos[0], "rb") as one, open(photos[0], "rb") as other:
        assert same(of_path, detector.detect(one, score=LOW)) and same(of_path, detector.detect([other], score=LOW)[0])


class PillowImage:
    """As much of PIL.Image.Image as Detector asks for: Pillow is not among what the tests take."""

    def __init__(self, mode, info, rgba):
        self.mode, self.info, self.rgba = mode, info, rgba

    def convert(self, mode):
        return self.rgba if mode == "RGBA" else self.rgba[:, :, :3]


def test_images_of_pillow_are_taken_whatever_their_mode(detector, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", types.SimpleNamespace(Image=PillowImage))
    rgba = noise(60, 80, 4)
    clear, opaque = detector.detect(rgba, score=LOW), detector.detect(rgba[:, :, :3], score=LOW)
    assert not same(clear, opaque)
    for mode, info, expected in (("P", {}, opaque), ("CMYK", {}, opaque), ("RGBA", {}, clear), ("P", {"transparency": 3}, clear)):
        assert same(expected, detector.detect(PillowImage(mode, info, rgba), score=LOW))
    assert same(clear, detector.detect([noise(9, 9), PillowImage("LA", {}, rgba)], score=LOW)[1])


def test_arrays_in_every_order_and_stride_are_the_same_image(detector):
    rgb = noise(70, 90, 3)
    expected = detector.detect(rgb, score=LOW)
    assert len(expected) > 0
    wide = np.zeros((70, 100, 3), np.uint8)
    wide[:, :90] = rgb
    opaque = np.dstack([rgb, np.full((70, 90), 255, np.uint8)])
    assert same(expected, detector.detect(wide[:, :90], score=LOW))
    assert same(expected, detector.detect(np.asfortranarray(rgb), score=LOW))
    assert same(expected, detector.detect(rgb[::-1].copy()[::-1], score=LOW))
    assert same(expected, detector.detect(rgb[:, :, ::-1], score=LOW, order="bgr"))
    assert same(expected, detector.detect(rgb[:, :, ::-1].copy(), score=LOW, order="bgr"))
    assert same(expected, detector.detect(opaque, score=LOW))
    gray = rgb[:, :, 0]
    of_gray = detector.detect(np.dstack([gray] * 3), score=LOW)
    assert same(of_gray, detector.detect(gray, score=LOW)) and same(of_gray, detector.detect(gray[:, :, None], score=LOW))


def test_several_images_of_several_kinds_keep_their_order(detector, photos):
    images = [photos[0], noise(40, 40, 3), photos[1].read_bytes(), noise(30, 50)]
    results = detector.detect(images, score=LOW)
    assert [(r.width, r.height) for r in results][1::2] == [(40, 40), (50, 30)]
    for image, result in zip(images, results):
        assert same(result, detector.detect(image, score=LOW))
    four = detector.detect(np.stack([images[1]] * 2), score=LOW)
    assert len(four) == 2 and same(four[0], results[1])
    assert detector.detect([]) == []


def test_a_batch_gives_what_single_images_give(checkpoint, photos):
    one, three = singleshot.Detector(checkpoint, threads=1), singleshot.Detector(checkpoint, threads=1, batch=3)
    for a, b in zip(one.detect(photos, score=LOW), three.detect(photos, score=LOW), strict=True):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=0.1)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def test_the_options_of_a_call_are_its_own(detector, photos):
    every = detector.detect(photos[0], score=LOW)
    middle = float(np.median(every.scores))
    above = detector.detect(photos[0], score=middle)
    assert np.array_equal(above.scores, every.scores[every.scores > np.float32(middle)])
    assert len(detector.detect(photos[0], score=LOW, most=2)) == 2


def test_threads_may_ask_at_the_same_time(detector, photos):
    expected = [detector.detect(photo, score=LOW) for photo in photos]
    wrong = []

    def ask():
        for _ in range(4):
            found = detector.detect(photos, score=LOW)
            wrong.extend(1 for a, b in zip(found, expected) if not same(a, b))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_bad_images_are_errors_of_one_line(detector, photos):
    with pytest.raises(singleshot.Error, match="/nowhere.jpg: "):
        detector.detect("/nowhere.jpg")
    with pytest.raises(singleshot.Error, match="image 1: "):
        detector.detect([photos[0], b"no image"])
    kept = detector.detect([photos[0], b"no image"], bad_images="keep")
    assert not kept[0].error and "\n" not in kept[1].error and kept[1].error and len(kept[1]) == 0
    for wrong, error in ((np.zeros((4, 4, 3)), TypeError), (np.zeros((4, 4, 2), np.uint8), ValueError), (5, TypeError)):
        with pytest.raises(error):
            detector.detect([wrong])
    with pytest.raises(singleshot.Error, match="score: got 1"):
        detector.detect(photos[0], score=1.0)
    with pytest.raises(singleshot.Error, match="order: got 'xyz'"):
        detector.detect(noise(4, 4, 3), order="xyz")


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"images": None}, TypeError, "images: got NoneType, expected a path"),
        ({"images": ""}, singleshot.Error, "image: got '', expected the path of a file"),
        ({"images": "a\0b"}, singleshot.Error, "image: got 'a\\\\x00b', expected the path"),
        ({"score": "0.5"}, TypeError, "score: got '0.5', expected a number"),
        ({"score": None}, TypeError, "score: got NoneType, expected a number"),
        ({"most": -1}, singleshot.Error, "most: got -1, expected a number from 1"),
        ({"most": 2.5}, TypeError, "most: got 2.5, expected a whole number"),
        ({"order": 3}, TypeError, "order: got int, expected a name"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(detector, photos, options, error, message):
    with pytest.raises(error, match=message) as raised:
        detector.detect(**{"images": photos[0], **options})
    assert "\n" not in str(raised.value)


def test_a_fork_leaves_the_detector_to_the_parent(checkpoint, photos):
    script = (
        "import os, sys, singleshot\n"
        "detector = singleshot.Detector(sys.argv[1], threads=1)\n"
        "detector.detect(sys.argv[2])\n"
        "if (child := os.fork()) == 0:\n"
        "    try: detector.detect(sys.argv[2])\n"
        "    except singleshot.Error as error: print(error, flush=True)\n"
        "    del detector\n"
        "    sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(detector.detect([sys.argv[2]])))\n"
    )
    command = [sys.executable, "-c", script, checkpoint, photos[0]]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert made.stdout.splitlines() == [
        "detector: got a call after a fork, expected the process that made it; make one in each process",
        "7 1",
    ], made.stderr


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(singleshot.Error, match="nothing-here"):
        singleshot.Detector(tmp_path / "nothing-here")


def test_the_package_has_types():
    folder = pathlib.Path(singleshot.__file__).parent
    assert (folder / "py.typed").exists()
    for module in folder.glob("*.py"):
        assert module.with_suffix(".pyi").exists(), module.name


def test_a_precision_that_is_none_is_refused(checkpoint):
    with pytest.raises(ValueError, match="precision"):
        singleshot.Detector(checkpoint, precision="f16")
