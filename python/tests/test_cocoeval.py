"""COCOeval beside pycocotools: every array equal to the last bit."""

import contextlib
import io
import json
import pathlib

import numpy as np
import pytest
import singleshot.coco
import singleshot.cocoeval
from conftest import ROOT

pycocotools_coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
pycocotools_eval = pytest.importorskip("pycocotools.cocoeval", reason="pycocotools is not installed")

SETS = ROOT.parent / "shared" / "data" / "coco-eval"


def made_up(images, objects, seed):
    """Annotations with crowds and gaps in the ids, and detections near them, beside them and with equal scores."""
    random = np.random.default_rng(seed)
    sizes = [random.choice([12.0, 60.0, 200.0]) * random.uniform(0.5, 1.5, 2) for _ in range(objects)]
    annotations = [
        {
            "id": i + 1,
            "image_id": int(random.integers(images)) * 3 + 1,
            "category_id": int(random.choice([1, 2, 5, 9])),
            "bbox": [*random.uniform(0, 300, 2).tolist(), *size.tolist()],
            "area": float(size[0] * size[1] * random.uniform(0.5, 1)),
            "iscrowd": int(random.random() < 0.1),
        }
        for i, size in enumerate(sizes)
    ]
    detections = []
    for annotation in annotations:
        for _ in range(int(random.integers(0, 5))):
            box = np.array(annotation["bbox"]) + random.normal(0, 4, 4)
            detections.append(
                {
                    "image_id": annotation["image_id"],
                    "category_id": annotation["category_id"] if random.random() < 0.9 else 5,
                    "bbox": [*box[:2].tolist(), *np.maximum(box[2:], 1).tolist()],
                    "score": round(float(random.random()), 2),
                }
            )
    dataset = {
        "info": {},
        "images": [{"id": i * 3 + 1, "width": 500, "height": 500, "file_name": f"{i}.jpg"} for i in range(images)],
        "categories": [{"id": i, "name": str(i), "supercategory": "all"} for i in (1, 2, 5, 9, 11)],
        "annotations": annotations,
    }
    return dataset, detections


def run(coco_type, eval_type, ground_truth, detections, change=lambda params: None):
    """`ground_truth` and `detections` are files. The COCOeval, and what it printed."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        truth = coco_type(str(ground_truth))
        evaluation = eval_type(truth, truth.loadRes(str(detections)), "bbox")
        change(evaluation.params)
        evaluation.evaluate()
        evaluation.accumulate()
        if len(evaluation.params.maxDets) == 3:
            evaluation.summarize()
    lines = [line for line in text.getvalue().splitlines() if "t=" not in line]
    return evaluation, lines


def assert_equal(ground_truth, detections, change=lambda params: None):
    theirs, printed = run(pycocotools_coco.COCO, pycocotools_eval.COCOeval, ground_truth, detections, change)
    for coco_type in (singleshot.coco.COCO, pycocotools_coco.COCO):
        ours, lines = run(coco_type, singleshot.cocoeval.COCOeval, ground_truth, detections, change)
        for key in ("precision", "recall", "scores"):
            assert ours.eval[key].shape == theirs.eval[key].shape
            assert np.array_equal(ours.eval[key], theirs.eval[key]), key
        assert ours.eval["counts"] == theirs.eval["counts"]
        if len(theirs.params.maxDets) == 3:
            assert np.array_equal(ours.stats, theirs.stats) and ours.stats.dtype == theirs.stats.dtype
            assert lines == printed


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    dataset, detections = made_up(40, 400, 1)
    (folder / "truth.json").write_text(json.dumps(dataset))
    (folder / "found.json").write_text(json.dumps(detections))
    return folder / "truth.json", folder / "found.json"


def test_arrays_and_printed_lines_are_equal(files):
    assert_equal(*files)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: setattr(p, "imgIds", p.imgIds[5:25]),
        lambda p: setattr(p, "catIds", [5, 1]),
        lambda p: setattr(p, "catIds", [7]),
        lambda p: setattr(p, "useCats", 0),
        lambda p: (setattr(p, "useCats", 0), setattr(p, "catIds", [9, 2])),
        lambda p: setattr(p, "maxDets", [2, 5, 300]),
        lambda p: setattr(p, "maxDets", [100, 3]),
        lambda p: setattr(p, "maxDets", [1, 2, 3, 5, 100]),
        lambda p: setattr(p, "iouThrs", np.array([0.5])),
        lambda p: setattr(p, "iouThrs", np.linspace(0.2, 0.9, 15)),
        lambda p: setattr(p, "recThrs", np.linspace(0, 1, 1001)),
        lambda p: (setattr(p, "areaRng", [[0, 1e10], [0, 2000], [10, 20]]), setattr(p, "areaRngLbl", ["all", "small", "x"])),
        lambda p: (setattr(p, "areaRng", [[0, 500 * i] for i in range(1, 7)]), setattr(p, "areaRngLbl", list("abcdef"))),
    ],
    ids=["images", "categories", "unknown-category", "one-class", "one-class-of-two", "limits", "two-limits", "five-limits", "one-iou", "ious",
         "recalls", "areas", "six-areas"],
)
def test_changed_parameters_are_equal(files, change):
    assert_equal(*files, change)


def test_odd_annotations_are_equal(tmp_path):
    dataset, detections = made_up(6, 30, 2)
    dataset["annotations"][3]["id"] = 0  # which pycocotools takes for no match
    dataset["annotations"][7]["id"] = dataset["annotations"][8]["id"]
    (tmp_path / "truth.json").write_text(json.dumps(dataset))
    (tmp_path / "found.json").write_text(json.dumps(detections))
    assert_equal(tmp_path / "truth.json", tmp_path / "found.json")


@pytest.mark.parametrize(
    "truth, found",
    [
        ("cocoapi-fakebbox100/instances_val2014_100.json", "cocoapi-fakebbox100/instances_val2014_fakebbox100_results.json"),
        ("coco-sampled-bbox-area/sampled_gts_bbox_area.json", "coco-sampled-bbox-area/sampled_bbox_results.json"),
    ],
)
def test_published_sets_are_equal(truth, found, tmp_path):
    if not SETS.exists():
        pytest.skip(f"{SETS}: not there")
    detections = json.loads((SETS / found).read_text())
    if isinstance(detections, dict):
        detections = detections["annotations"]
    list_file = tmp_path / "found.json"
    list_file.write_text(json.dumps(detections))
    assert_equal(SETS / truth, list_file)


def test_an_unchanged_script_runs_with_the_imports_replaced(files, tmp_path):
    script = pathlib.Path(tmp_path / "script.py")
    script.write_text(
        "import sys\n"
        "from pycocotools.coco import COCO\n"
        "from pycocotools.cocoeval import COCOeval\n"
        "truth = COCO(sys.argv[1])\n"
        "found = truth.loadRes(sys.argv[2])\n"
        "evaluation = COCOeval(truth, found, 'bbox')\n"
        "evaluation.params.imgIds = sorted(truth.getImgIds(catIds=truth.getCatIds(catNms=['5'])))\n"
        "evaluation.evaluate(); evaluation.accumulate(); evaluation.summarize()\n"
        "print(repr(evaluation.stats.tolist()))\n"
    )
    import subprocess
    import sys

    outputs = []
    for name in ("pycocotools", "singleshot"):
        replaced = tmp_path / f"script_of_{name}.py"
        replaced.write_text(script.read_text().replace("pycocotools", name))
        made = subprocess.run([sys.executable, replaced, *files], capture_output=True, text=True, check=True)
        outputs.append([line for line in made.stdout.splitlines() if "t=" not in line])
    assert outputs[0] == outputs[1]


def test_results_in_every_form_are_equal(files):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = singleshot.COCO(files[0])
        listed = json.loads(files[1].read_text())
        array = np.array([[d["image_id"], *d["bbox"], d["score"], d["category_id"]] for d in listed])
        for form in (listed, array):
            evaluation = singleshot.COCOeval(truth, truth.loadRes(form), "bbox")
            evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
            expected, _ = run(pycocotools_coco.COCO, pycocotools_eval.COCOeval, *files)
            assert np.array_equal(evaluation.stats, expected.stats)


def test_what_is_no_evaluation_of_boxes_is_refused(files):
    with pytest.raises(ValueError, match="iouType: got 'segm'"):
        singleshot.COCOeval(None, None, "segm")
    for name, value in (("iouType", "keypoints"), ("useSegm", 1)):
        evaluation = singleshot.COCOeval(None, None, "bbox")
        setattr(evaluation.params, name, value)
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(ValueError, match="iouType: got"):
            evaluation.evaluate()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = singleshot.COCO(files[0])
        with pytest.raises(ValueError, match="image_id 77777"):
            truth.loadRes([{"image_id": 77777, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}])
        found = truth.loadRes(str(files[1]))
        found.dataset["annotations"][0]["area"] += 1
        evaluation = singleshot.COCOeval(truth, found, "bbox")
        with pytest.raises(ValueError, match="area"):
            evaluation.evaluate()
