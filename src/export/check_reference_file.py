#!/usr/bin/env python3
"""Checks an exported .pt against what PyTorch would have written, which is worked out here from the modules' definition
(../shared/reference/ssd300-v1.1.md), without torch. Run: check_reference_file.py FILE BACKBONE CLASSES

Element i of the tensor of momentum is its value alone where the test filled it so: float(number of the name in the sorted list).
"""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "weights" / "testdata"))
sys.dont_write_bytecode = True
import check_torch_writer  # noqa: E402

BLOCKS = {"resnet18": [2, 2, 2], "resnet34": [3, 4, 6], "resnet50": [3, 4, 6], "resnet101": [3, 4, 23], "resnet152": [3, 8, 36]}
OUT = {"resnet18": [256, 512, 512, 256, 256, 128], "resnet34": [256, 512, 512, 256, 256, 256]}
DEFAULTS = [4, 6, 6, 6, 4, 4]


def convolution(name, shape, bias=False):
    yield name + ".weight", shape
    if bias:
        yield name + ".bias", shape[:1]


def batch_norm(name, channels):
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield name + ".num_batches_tracked", ()


def backbone(kind):
    basic = kind in ("resnet18", "resnet34")
    root = "feature_extractor.feature_extractor."
    yield from convolution(root + "0", (64, 3, 7, 7))
    yield from batch_norm(root + "1", 64)
    width_in = 64
    for stage, blocks in enumerate(BLOCKS[kind]):
        width = 64 << stage
        out = width if basic else 4 * width
        for block in range(blocks):
            name = f"{root}{4 + stage}.{block}."
            sizes = [(width, width_in, 3), (width, width, 3)] if basic else [(width, width_in, 1), (width, width, 3), (out, width, 1)]
            for i, (o, n, k) in enumerate(sizes, 1):
                yield from convolution(f"{name}conv{i}", (o, n, k, k))
                yield from batch_norm(f"{name}bn{i}", o)
            if block == 0 and (stage > 0 or not basic):
                yield from convolution(name + "downsample.0", (out, width_in, 1, 1))
                yield from batch_norm(name + "downsample.1", out)
            width_in = out


def state(kind, classes):
    yield from backbone(kind)
    out = OUT.get(kind, [1024, 512, 512, 256, 256, 256])
    for i, middle in enumerate([256, 256, 128, 128, 128]):
        yield from convolution(f"additional_blocks.{i}.0", (middle, out[i], 1, 1))
        yield from batch_norm(f"additional_blocks.{i}.1", middle)
        yield from convolution(f"additional_blocks.{i}.3", (out[i + 1], middle, 3, 3))
        yield from batch_norm(f"additional_blocks.{i}.4", out[i + 1])
    for head, channels in (("loc", 4), ("conf", classes)):
        for i, defaults in enumerate(DEFAULTS):
            yield from convolution(f"{head}.{i}", (defaults * channels, out[i], 3, 3), bias=True)


def main():
    path, kind, classes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    root, storages = check_torch_writer.read(path)
    expected = list(state(kind, classes))
    assert [(name, tensor[2]) for name, tensor in root["model"].items()] == expected
    assert root["label_map"] == {0: "background", **{i: f"name {i}" for i in range(1, classes)}}
    assert (root["epoch"], root["iteration"]) == (50, 1234)
    tracked = [t for n, t in root["model"].items() if n.endswith("num_batches_tracked")]
    assert all(struct.unpack("<q", storages[t[0][2]])[0] == 1234 for t in tracked) and tracked
    trained = [(n, s) for n, s in expected if not n.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    groups = [[(n, s) for n, s in trained if (len(s) == 1 or n.endswith(".bias")) == plain] for plain in (True, False)]
    numbers = {name: i for i, (name, _) in enumerate(sorted(trained))}
    optimizer = root["optimizer"]
    for group, members, decay in zip(optimizer["param_groups"], groups, (0.0, 5e-4)):
        assert (group["weight_decay"], group["momentum"], group["initial_lr"]) == (decay, 0.9, 0.0026)
        assert abs(group["lr"] - 0.00026) < 1e-12 and group["nesterov"] is False and group["dampening"] == 0
        assert len(group["params"]) == len(members)
    flat = [i for group in optimizer["param_groups"] for i in group["params"]]
    assert flat == list(range(len(trained))) == list(optimizer["state"])
    for i, (name, shape) in zip(flat, groups[0] + groups[1]):
        storage, _, found, *_ = optimizer["state"][i]["momentum_buffer"]
        assert found == shape and struct.unpack_from("<f", storages[storage[2]])[0] == numbers[name], name
    scheduler = root["scheduler"]
    assert scheduler["milestones"] == {43: 1, 54: 1} and scheduler["last_epoch"] == 50 and scheduler["gamma"] == 0.1
    assert scheduler["base_lrs"] == [0.0026] * 2 and abs(scheduler["_last_lr"][1] - 0.00026) < 1e-12


if __name__ == "__main__":
    main()
