#!/usr/bin/env python3
"""Checks the file of TorchWriter.IsReadByPython with Python's own zipfile and pickle; no torch. Run: check_torch_writer.py FILE"""
import collections
import io
import pickle
import struct
import sys
import zipfile


class Unpickler(pickle.Unpickler):
    """Classes of torch become their names, tensors (storage, offset, shape, strides, gradient, hooks)."""

    def find_class(self, module, name):
        if module == "collections":
            return getattr(collections, name)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments
        assert module == "torch" and name.endswith("Storage"), (module, name)
        return name

    def persistent_load(self, identity):
        return identity


def read(path):
    """The root, and the bytes of each storage, after the archive's own checks."""
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            file.seek(member.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            assert (member.header_offset + 30 + name + extra) % 64 == 0, member
        names = archive.namelist()
        assert archive.read("archive/version") == b"3\n" and archive.read("archive/byteorder") == b"little"
        root = Unpickler(io.BytesIO(archive.read("archive/data.pkl"))).load()
        return root, {n.removeprefix("archive/data/"): archive.read(n) for n in names if "/data/" in n}


def main():
    root, storages = read(sys.argv[1])
    assert list(root) == ["text", "numbers", "counts", "none", "tensor"]
    assert root["text"] == "grüß\n'"
    assert root["numbers"] == [-7, 1 << 40, -0.1, True, False, None]
    assert root["counts"] == collections.Counter({43: 2}) and type(root["counts"]) is collections.Counter
    assert root["none"] == []
    storage, offset, shape, strides, gradient, hooks = root["tensor"]
    assert storage == ("storage", "FloatStorage", "0", "cpu", 6)
    assert (offset, shape, strides, gradient, hooks) == (0, (2, 3), (3, 1), False, collections.OrderedDict())
    assert storages == {"0": bytes((i * 7 + 1) % 256 for i in range(24))}


if __name__ == "__main__":
    main()
