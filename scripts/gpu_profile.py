"""Where a training step's time goes, for scripts/gpu-check, with what a machine has: how busy nvidia-smi says the GPU
is, what XLA made of the step (its own dump, on any device), and the time of each kernel where Nsight Systems is there.

Each part takes gpu-check's Machine, the batch size and images/s, and returns figures for JSON and lines for people.
"""
import collections
import csv
import glob
import io
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time


class Missing(Exception):
    """What is not there, in one line."""


# How busy the GPU is

FIELDS = {"utilization.gpu": "of the time a kernel ran, %", "utilization.memory": "of the time memory was used, %",
          "memory.used": "memory taken, MiB", "power.draw": "power, W", "clocks.sm": "clock of the SMs, MHz"}


class Sampler:
    """nvidia-smi's figures, a few times a second, each with the time when it came."""

    def __enter__(self):
        query = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits", "--loop-ms=200",
                 "--id=0"]
        self.samples = []
        try:
            self.process = subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            raise Missing("no nvidia-smi")
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        for line in self.process.stdout:
            self.samples.append((time.monotonic(), [cell.strip() for cell in line.split(",")]))

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


def utilisation(machine, batch, rate):
    """Medians over the counted iterations of a run of some seconds."""
    seconds = 5 if machine.options.quick else 10
    iterations = max(2, math.ceil(seconds * rate / batch))
    with Sampler() as sampler:
        result = machine.ours("train", batch, iterations)
        end = time.monotonic()
    start = end - iterations * batch / result["images_per_s"]["avg"]
    columns = zip(*(cells for when, cells in sampler.samples if start <= when <= end and len(cells) == len(FIELDS)))
    figures = {}
    for field, column in zip(FIELDS, columns):
        numbers = [float(cell) for cell in column if re.fullmatch(r"\d+(\.\d+)?", cell)]
        if numbers:
            figures[field] = statistics.median(numbers)
    if not figures:
        raise Missing("nvidia-smi gave no figures during the run")
    return figures, [f"{FIELDS[field]}: {value:g}" for field, value in figures.items()]


# What XLA made of the step

INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?(?P<name>[\w.-]+) = (?P<type>\(.*?\)|\S+) "
                         r"(?P<opcode>[a-z][\w-]*)\((?P<rest>.*)")
COMPUTATION = re.compile(r"(?P<entry>ENTRY )?%?(?P<name>[\w.-]+) .*\{\s*$")
ARRAY = re.compile(r"\b(pred|[a-z]+?(\d+)\w*)\[([\d,]*)\]")
NO_WORK = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}
CONVOLUTIONS = ("convolution", "__cudnn$conv", "__onednn$conv")


def bytes_of(type_text):
    """Of an array, or of a tuple's arrays together."""
    total = 0
    for name, bits, extents in ARRAY.findall(type_text):
        size = 1 if name == "pred" else int(bits) / 8
        for extent in filter(None, extents.split(",")):
            size *= int(extent)
        total += size
    return total


class Instruction:
    def __init__(self, match):
        self.type, self.opcode, rest = match["type"], match["opcode"], match["rest"]
        end = rest.find("), ")
        self.operands = re.findall(r"%([\w.-]+)", rest if end < 0 else rest[:end])
        called = re.search(r"(?:calls|to_apply|body)=%?([\w.-]+)", rest)
        target = re.search(r'custom_call_target="([^"]+)"', rest)
        self.called = called[1] if called else None
        self.kind = target[1] if target else self.opcode  # a custom call is known by its target


def computations(text):
    """The module's computations as {name: {instruction's name: Instruction}}, and the entry's name."""
    found, entry, current = {}, None, None
    for line in text.splitlines():
        head = COMPUTATION.match(line)
        if head and " = " not in line.split("->")[0]:
            current = found.setdefault(head["name"], {})
            entry = head["name"] if head["entry"] else entry
        elif current is not None:
            match = INSTRUCTION.match(line)
            if match:
                current[match["name"]] = Instruction(match)
    return found, entry


def kinds_within(instruction, found):
    """Of an instruction, and of what it calls, to any depth."""
    kinds = {instruction.kind}
    for inner in found.get(instruction.called, {}).values():
        kinds |= kinds_within(inner, found)
    return kinds


def category(instruction, found):
    kinds = kinds_within(instruction, found)
    fused = " in a fusion" if instruction.opcode == "fusion" else ""
    if any(kind.startswith(CONVOLUTIONS) for kind in kinds):
        return "convolution" + fused
    if any(kind == "dot" or kind.startswith("__cublas") for kind in kinds):
        return "matrix product" + fused
    if instruction.opcode == "custom-call":
        return instruction.kind
    if instruction.opcode.startswith(("all-", "reduce-scatter", "collective-")):
        return "collective"
    if kinds & {"reduce", "reduce-window", "select-and-scatter", "scatter"}:
        return "reduction" + fused
    if kinds & {"transpose", "copy", "copy-start"}:
        return "copy, transpose" + fused
    return "elementwise" + fused


def work_of(name, found):
    """The instructions that run one after the other, and their operands' types: of a computation and of those that it
    calls as they are (XLA puts parts of a step into command buffers so)."""
    types = {key: instruction.type for key, instruction in found[name].items()}
    for instruction in found[name].values():
        if instruction.opcode in ("call", "while") and instruction.called in found:
            yield from work_of(instruction.called, found)
        elif instruction.opcode not in NO_WORK and not instruction.opcode.endswith("-done"):
            yield instruction, [types[operand] for operand in set(instruction.operands) if operand in types]


def summary(text):
    """Instructions of an optimized module by category: how many, and the bytes that they read and write."""
    found, entry = computations(text)
    counts, moved, precisions = collections.Counter(), collections.Counter(), collections.Counter()
    for instruction, operands in work_of(entry, found):
        what = category(instruction, found)
        counts[what] += 1
        moved[what] += bytes_of(instruction.type) + sum(map(bytes_of, operands))
        if what.startswith("convolution"):
            precisions[ARRAY.search(instruction.type)[1]] += 1
    rows = [{"category": what, "count": counts[what], "gigabytes": size / 1e9} for what, size in moved.most_common()]
    return {"by_category": rows, "gigabytes": sum(moved.values()) / 1e9, "convolution_results": dict(precisions)}


def program(machine, batch, rate):
    """Compiles the step once more with XLA's dump switched on."""
    with tempfile.TemporaryDirectory() as folder:
        machine.ours("train", batch, 1, warmup=0, more={
            "XDG_CACHE_HOME": folder,  # a program from the cache would not be compiled
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={folder} --xla_dump_hlo_as_text".strip()})
        texts = glob.glob(f"{folder}/*after_optimizations.txt")
        if not texts:
            raise Missing("this plugin does not dump what it compiles")
        figures = summary(pathlib.Path(max(texts, key=os.path.getsize)).read_text())
    figures["gigabytes_per_s"] = figures["gigabytes"] * rate / batch
    lines = [f"{row['count']:5} x {row['category']:32} {row['gigabytes']:8.2f} GB" for row in figures["by_category"]]
    lines.append(f"in all {figures['gigabytes']:.1f} GB read and written a step, "
                 f"{figures['gigabytes_per_s']:.0f} GB/s at {rate:.1f} images/s")
    precisions = ", ".join(f"{count} x {name}" for name, count in figures["convolution_results"].items())
    return figures, lines + [f"results of convolutions: {precisions}"]


# The time of each kernel

def find_nsys():
    places = [shutil.which("nsys"), *sorted(glob.glob("/opt/nvidia/nsight-systems*/**/bin/nsys", recursive=True)),
              *sorted(glob.glob("/usr/local/cuda*/bin/nsys"))]
    found = [place for place in places if place]
    if not found:
        raise Missing("no profiler: nsys (NVIDIA Nsight Systems) is not on PATH, in /opt/nvidia or in /usr/local/cuda; "
                      "kernels are not timed")
    return found[0]


def kernels(machine, batch, rate):
    """Nsight Systems' sums over some steps; the program comes from the cache, so that no trial of it is counted."""
    nsys = find_nsys()
    with tempfile.TemporaryDirectory() as folder:
        trace = f"{folder}/trace"
        machine.ours("train", batch, 20, warmup=5,
                     wrapper=[nsys, "profile", "--trace=cuda", "--sample=none", "--cpuctxsw=none", f"--output={trace}"])
        stats = machine.run([nsys, "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv", f"{trace}.nsys-rep"])
    rows = kernel_rows(stats.stdout)
    if not rows:
        raise Missing("nsys saw no kernel")
    total = sum(row["ns"] for row in rows)
    lines = [f"{100 * row['ns'] / total:5.1f} %  {row['count']:6} x {row['kernel'][:90]}" for row in rows[:15]]
    return {"milliseconds_per_step": total / 1e6 / 25, "kernels": rows[:60]}, lines


def kernel_rows(text):
    """nsys stats' table, which follows some lines of talk; the kernels that took longest first."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if "Total Time (ns)" in line), len(lines))
    rows = [{"kernel": row["Name"], "ns": int(row["Total Time (ns)"]), "count": int(row["Instances"])}
            for row in csv.DictReader(io.StringIO("\n".join(lines[head:]))) if row.get("Name")]
    return sorted(rows, key=lambda row: -row["ns"])
