#!/usr/bin/env python3
"""Holds an exported ONNX model against expected values: ONNX's own checker, the metadata, and outputs on the images given.

Run: check_onnx.py MODEL EXPECTED [--runtime onnxruntime|openvino|opencv] [--tolerance T] [--report]

EXPECTED is a safetensors file: images u8 (N,300,300,3), loc f32 (N,8732,4), conf f32 (N,8732,C), default_boxes f32
(8732,4) cxcywh, detections f32 (M,7): image, label, score, left, top, right, bottom. Raw outputs and scores must be within
T of the range of the expected ones; of the detections 99 % must be there, their scores within 1e-4 (or T, where that is
more). Boxes and scores are worked out here, from the paper's formulas, in float64.
"""
import argparse
import json
import struct
import sys

import numpy as np

DTYPES = {"F32": np.float32, "U8": np.uint8}


def read_safetensors(path):
    with open(path, "rb") as file:
        content = file.read()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    body = content[8 + size :]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def describe(path):
    """The checked model's metadata, inputs and outputs."""
    import onnx

    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert model.ir_version == 8 and [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    classes = json.loads(metadata["classes"])
    assert [c["label"] for c in classes] == list(range(1, len(classes) + 1)) and all(c["name"] for c in classes)
    assert len(metadata["weights_sha256"]) == 64 and metadata["input_size"] == "300"
    names = [node.name for node in model.graph.node]
    assert len(names) == len(set(names))
    return metadata, [output.name for output in model.graph.output]


def input_of(images, kind):
    if kind == "u8-nhwc":
        return images
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def run_onnxruntime(path, images, names):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {"images": images})))


def run_openvino(path, images, names):
    import openvino

    # Its own choice may be bf16.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled({"images": images})
    return {name: results[name] for name in names}


def run_opencv(path, images, names):
    import cv2

    net = cv2.dnn.readNetFromONNX(path)
    net.setInput(images, "images")
    return dict(zip(names, net.forward(names)))


def corners(loc, defaults):
    loc, defaults = loc.astype(np.float64), defaults.astype(np.float64)
    center = loc[..., :2] * 0.1 * defaults[:, 2:] + defaults[:, :2]
    size = np.exp(loc[..., 2:] * 0.2) * defaults[:, 2:]
    return np.concatenate([center - size / 2, center + size / 2], axis=-1)


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def difference(got, expected):
    """The largest, as a share of the expected values' range."""
    assert got.shape == expected.shape, (got.shape, expected.shape)
    return float(np.abs(got.astype(np.float64) - expected).max() / (expected.max() - expected.min()))


def matched(outputs, expected, tolerance):
    """The share of the expected detections that are there, each found once; and no more of others than are missing."""
    found = found_rows(outputs)
    taken, count = set(), 0
    for image, label, score, *box in expected:
        for i, (other_image, other_label, other_score, other_box) in enumerate(found):
            same = other_image == image and other_label == label and abs(other_score - score) <= tolerance
            if i not in taken and same and np.abs(other_box - box).max() <= 10 * tolerance:
                taken.add(i)
                count += 1
                break
    return count / max(1, len(expected), len(found))


def found_rows(outputs):
    rows = []
    for image, count in enumerate(outputs["count"]):
        scores = outputs["scores"][image]
        assert (scores[:count] > 0).all() and (scores[count:] == 0).all() and (np.diff(scores) <= 0).all()
        assert (outputs["labels"][image][count:] == 0).all() and (outputs["boxes"][image][count:] == 0).all()
        for i in range(count):
            rows.append((image, outputs["labels"][image][i], scores[i], outputs["boxes"][image][i].astype(np.float64)))
    return rows


def compare(outputs, expected, tolerance):
    """Lines of what was found, and whether it is good."""
    if "loc" in outputs:
        pairs = {"loc": expected["loc"].transpose(0, 2, 1), "conf": expected["conf"].transpose(0, 2, 1)}
    elif "count" not in outputs:
        pairs = {"boxes": corners(expected["loc"], expected["default_boxes"]), "scores": softmax(expected["conf"])}
    else:
        share = matched(outputs, expected["detections"], max(tolerance, 1e-4))
        return [f"{share:.2%} of {len(expected['detections'])} detections"], share >= 0.99
    differences = {name: difference(outputs[name], values) for name, values in pairs.items()}
    lines = [f"{name}: {value:.1e} of the range" for name, value in differences.items()]
    return lines, all(value <= tolerance for value in differences.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("expected")
    parser.add_argument("--runtime", default="onnxruntime", choices=["onnxruntime", "openvino", "opencv"])
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, help="images at a time, for a model of a fixed batch")
    parser.add_argument("--report", action="store_true", help="print the differences")
    arguments = parser.parse_args()
    metadata, names = describe(arguments.model)
    expected = read_safetensors(arguments.expected)
    images = input_of(expected["images"], metadata["input"])
    run = {"onnxruntime": run_onnxruntime, "openvino": run_openvino, "opencv": run_opencv}[arguments.runtime]
    step = arguments.batch or len(images)
    parts = [run(arguments.model, images[i : i + step], names) for i in range(0, len(images), step)]
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in names}
    lines, good = compare(outputs, expected, arguments.tolerance)
    if arguments.report or not good:
        print("; ".join(lines))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
