#!/usr/bin/env python3
"""Writes the small files that weights_test reads, with PyTorch, NumPy and the safetensors package as they are.

Element i of every tensor is (i % 11) * 0.5 - 2 (floating point), i % 11 (integers) or i % 2 (bool), counted
row-major over the base tensor where the saved one is a view. Run: make_testdata.py [FOLDER]
"""
import argparse
import collections
import os
import pathlib
import sys

import numpy as np
import safetensors.torch
import torch


def values(shape, dtype=torch.float32):
    i = torch.arange(torch.Size(shape).numel()).reshape(shape)
    if dtype == torch.bool:
        return i % 2 == 1
    return ((i % 11) * 0.5 - 2).to(dtype) if dtype.is_floating_point else (i % 11).to(dtype)


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def module():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2))
    for tensor in list(net.parameters()) + [b for b in net.buffers() if b.is_floating_point()]:
        tensor.data.copy_(values(tensor.shape))
    return net


def write_npz(folder, tensors):
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    np.savez(folder / "types.npz", scalar=np.array(7), empty=np.zeros((0, 3)), **arrays)
    np.savez(folder / "column_major.npz", a=arrays["f32"].T)
    np.savez(folder / "text.npz", a=np.array(["text"]))
    np.savez_compressed(folder / "compressed.npz", a=arrays["f32"])
    np.save(folder / "array.npy", arrays["f32"])


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    base = values((4, 6))
    types = {
        "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
        "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool,
    }
    tensors = collections.OrderedDict((name, values((2, 3), dtype)) for name, dtype in types.items())
    safetensors.torch.save_file(tensors, folder / "types.safetensors", metadata={"made_by": "safetensors"})
    write_npz(folder, {name: tensor for name, tensor in tensors.items() if name != "bf16"})
    tensors["scalar"] = torch.tensor(7)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["base"] = base
    tensors["transposed"] = base.t()
    tensors["columns"] = base[1:3, ::2]
    tensors["expanded"] = base[:, 1:2].expand(4, 3)
    torch.save(tensors, folder / "types.pt")
    torch.save(tensors, folder / "types_protocol4.pt", pickle_protocol=4)
    torch.save(module().state_dict(), folder / "module.pt")
    torch.save({"w": values((2, 2))}, folder / "legacy.pt", _use_new_zipfile_serialization=False)

    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 2, bias=False))
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(sgd, [43, 54])
    net(torch.ones(1, 1, 2, 2)).sum().backward()
    sgd.step()
    weight = torch.nn.Parameter(values((1, 1, 2, 2)))
    torch.save({
        "epoch": 3, "iteration": 700, "time": 1.5, "big": 1 << 40, "note": None, "done": False,
        "label_map": {1: "person", 2: "bicycle"}, "args": argparse.Namespace(lr=0.1, steps=[43, 54]),
        "model": collections.OrderedDict({"module.1.0.weight": weight}),
        "optimizer": sgd.state_dict(), "scheduler": scheduler.state_dict(),
    }, folder / "checkpoint.pt")
    torch.save({"w": values((2, 2)), "x": Evil()}, folder / "evil.pt")
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), folder / "script.pt")


main()
