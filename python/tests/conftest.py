"""What several tests share: where things lie, and a small network's weights."""

import json
import pathlib
import struct
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "export"))
sys.dont_write_bytecode = True
import check_reference_file  # noqa: E402  the names and shapes of a state_dict


def write_safetensors(path, tensors):
    """By the format's definition: the header's length, the header, the tensors' bytes."""
    header, parts, end = {}, [], 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, end]}
        parts.append(array.astype("<f4").tobytes())
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A ResNet-18 of four classes with random weights, so that its scores differ from image to image."""
    random = np.random.default_rng(3)
    tensors = {}
    for name, shape in check_reference_file.state("resnet18", 4):
        if name.endswith("num_batches_tracked"):
            continue
        if len(shape) == 4:
            scale = 0.02 if name.startswith(("loc", "conf")) else 1.0
            tensors[name] = random.normal(0, scale * np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        else:
            ones = name.endswith(("running_var", ".weight"))
            tensors[name] = np.full(shape, 1.0 if ones else 0.0, np.float32)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    write_safetensors(path, tensors)
    return path


@pytest.fixture(scope="session")
def photos():
    return sorted((ROOT / "samples" / "blood-cells" / "train2017").glob("*.jpg"))[:3]
