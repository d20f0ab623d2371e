#!/usr/bin/env python3
"""Throws faults at the program and checks that it bears them.

    tests/faults/faults.py build/release/singleshot [--seconds 60] [--seed N] [--kinds kill,limit,...] [--keep FOLDER]

Kinds, each a fair share of the time:
  kill    SIGKILL at a random moment of making a cache, an import or a training run; the second try must succeed,
          give what an undisturbed one gives, and leave no temporary file behind
  limit   random limits on memory, size of files, open files and threads
  link    links planted under the names of all that is written; what they lead to must stay as it is
  mutate  files of every reader with random bytes changed, cut, repeated or put together anew
  change  record caches and models that are cut or overwritten while the program reads them
  ranks   one of four processes under mpirun is killed or stopped at a random moment of training, writing checkpoints
          and evaluating: all end within 30 seconds, one line names it, two processes go on from the last checkpoint
          (only where asked for: a trial takes half a minute)

After every trial: the program has ended by itself (no signal that was not sent) within 10 seconds and within 1 GiB
of what it needs undisturbed, and where it failed, its last line on standard error begins with "singleshot" and names
no type of the standard library. The seed is printed: the same seed makes the same faults, but for the moments at
which they come. Exit status: 0 all was borne, 1 not. Needs nothing but Python 3.9."""
import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fault import Fault
from ranks import ranks

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "blood-cells"
LONGEST = 10.0  # seconds of a command; a machine that does other work besides gets three times as much
LONGEST_TRAINING = 60.0  # three steps on one thread
MOST_BYTES = 1 << 30  # above what a command needs undisturbed
BAD_WORDS = ("std::", "terminate called", "json.exception", "basic_string", "vector::", "Assertion", "Sanitizer")


class Result:
    def __init__(self, code, out, err, seconds, peak):
        self.code, self.out, self.err, self.seconds, self.peak = code, out, err, seconds, peak


def kill_process(process):
    """Unlike Popen.kill, which reaps a process that has just ended and takes its status from Bench.run's wait4."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


class Bench:
    """The program under test, its small data, and the reference results."""

    def __init__(self, program, folder, rng):
        self.program, self.folder, self.rng = str(program), folder, rng
        self.trials = {}
        self.data = folder / "data"
        self.make_data()
        self.peak = {}

    def run(self, arguments, limits=None, disturb=None, check=True):
        """Runs the program; `disturb(process)` runs beside it. Checks what holds always."""
        def set_limits():
            for kind, value in (limits or {}).items():
                resource.setrlimit(kind, (value, value))
        environment = dict(os.environ, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="2", SINGLESHOT_CACHE="off")
        start = time.monotonic()
        # Pipes, for a limit on the size of files would cut what is said of it.
        process = subprocess.Popen([self.program, *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=set_limits,
                                   env=environment)
        said = {}
        workers = [threading.Thread(target=lambda name=name, pipe=pipe: said.__setitem__(name, pipe.read()))
                   for name, pipe in (("out", process.stdout), ("err", process.stderr))]
        if disturb:
            workers.append(threading.Thread(target=disturb, args=(process,)))
        longest = 3 * (LONGEST_TRAINING if arguments[0] == "train" else LONGEST)
        hung = threading.Timer(longest, kill_process, [process])
        for worker in (*workers, hung):
            worker.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        hung.cancel()
        for worker in workers:
            worker.join()
        process.stdout.close()
        process.stderr.close()
        result = Result(process.returncode, said["out"], said["err"], seconds, usage.ru_maxrss * 1024)
        if check:
            self.check(result, arguments)
        return result

    def check(self, result, arguments, baseline=None):
        where = " ".join(map(str, arguments))[:300]
        err = result.err.decode("utf-8", "replace")
        if result.seconds >= 3 * (LONGEST_TRAINING if arguments[0] == "train" else LONGEST):
            raise Fault(f"hung: {where}\n{err}")
        if result.code < 0:
            raise Fault(f"ended by {signal.Signals(-result.code).name}: {where}\n{err}")
        if baseline is not None and result.peak > baseline + MOST_BYTES:
            raise Fault(f"took {result.peak >> 20} MiB: {where}\n{err}")
        if result.code == 0:
            return
        lines = [line for line in err.splitlines() if line.strip()]
        # Two libraries say it themselves where they get no threads or no memory, and end the program.
        if lines and ("libgomp" in lines[-1] or "error while loading shared libraries" in lines[-1]):
            return
        if result.code in (1, 2) and lines and "singleshot" in lines[-1] and not any(
                word in err for word in BAD_WORDS):
            return
        if result.code == 1 and list(arguments[:2]) == ["data", "check"] and result.out:
            return  # it found problems
        raise Fault(f"failed with {result.code} and no line of its own: {where}\n{err}")

    def make_data(self):
        for split in ("train2017", "val2017"):
            name = f"annotations/instances_{split}.json"
            coco = json.loads((SAMPLES / name).read_text())
            coco["images"] = coco["images"][:6]
            kept = {image["id"] for image in coco["images"]}
            coco["annotations"] = [a for a in coco["annotations"] if a["image_id"] in kept]
            (self.data / "annotations").mkdir(parents=True, exist_ok=True)
            (self.data / split).mkdir(exist_ok=True)
            (self.data / name).write_text(json.dumps(coco))
            for image in coco["images"]:
                shutil.copy(SAMPLES / split / image["file_name"], self.data / split)
        truth = json.loads((self.data / "annotations/instances_val2017.json").read_text())
        found = [{"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.5}
                 for a in truth["annotations"]]
        (self.folder / "found.json").write_text(json.dumps(found))
        self.make_yolo(self.folder / "yolo")
        self.make_voc(self.folder / "voc")

    def make_yolo(self, root):
        for split in ("train", "val"):
            (root / "images" / split).mkdir(parents=True)
            (root / "labels" / split).mkdir(parents=True)
            for number, image in enumerate(sorted((self.data / f"{split}2017").iterdir())):
                shutil.copy(image, root / "images" / split / f"{number}{image.suffix}")
                (root / "labels" / split / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.5 0.5\n")
        (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a, b]\n")

    def make_voc(self, root):
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (root / folder).mkdir(parents=True)
        for number, image in enumerate(sorted((self.data / "train2017").iterdir())):
            shutil.copy(image, root / "JPEGImages" / f"{number}{image.suffix}")
            (root / "Annotations" / f"{number}.xml").write_text(
                f"<annotation><filename>{number}{image.suffix}</filename><size><width>640</width><height>480</height>"
                "</size><object><name>a</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>90</xmax><ymax>90</ymax>"
                "</bndbox></object></annotation>")
        (root / "ImageSets/Main/train.txt").write_text("0\n1\n2\n3\n")
        (root / "ImageSets/Main/val.txt").write_text("4\n5\n")

    # What each job reads, runs and leaves.

    def cache(self, target, encoding="raw"):
        return ["data", "cache", "--data", self.data, "--out", target, "--encoding", encoding, "--threads", "2"]

    def training(self, run, more=()):
        return ["train", "--data", self.data, "--backbone", "resnet18", "--batch-size", "1", "--iterations", "3",
                "--checkpoint-interval", "1", "--evaluation", "-1", "--batch-norm-images", "2", "--threads", "1",
                "--preset", "reference", "--pretrained", "none", "--save", run, *more]

    def reference(self, kind):
        """The folder of what an undisturbed job makes."""
        folder = self.folder / f"reference-{kind}"
        if not folder.exists():
            folder.mkdir()
            command = self.cache(folder / "c.cache") if kind == "cache" else self.training(folder / "run")
            made = self.run(command)
            if made.code != 0:
                sys.exit(f"faults: an undisturbed {kind} fails:\n{made.err.decode()}")
        return folder


def digest(folder):
    """Names and contents below a folder, but for what tells the time."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def leftovers(folder):
    return [path for path in folder.rglob(".*") if ".tmp-" in path.name]


# --- kinds of fault ---


def kill(bench):
    kind = bench.rng.choice(["cache", "import", "import", "cache", "train"])
    target = bench.folder / "killed"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    if kind == "cache":
        first = again = bench.cache(target / "c.cache")
        longest = 0.15
    elif kind == "import":
        # Beside another file system where there is one: images are then copied, not linked.
        first = again = ["data", "import", "yolo", bench.folder / "yolo", target / "coco"]
        longest = 0.1
    else:
        first, again, longest = bench.training(target / "run"), bench.training(target / "run", ["--resume"]), 4
    moment = bench.rng.uniform(0, longest)

    def disturb(process):
        time.sleep(moment)
        kill_process(process)

    for _ in range(bench.rng.randint(1, 3)):
        bench.run(first if not (target / "run").exists() else again, disturb=disturb, check=False)
    result = bench.run(again)
    if result.code != 0 and b"is there already" in result.err and kind == "import" and not leftovers(target):
        result.code = 0  # it had ended before it could be killed
    if result.code != 0:
        raise Fault(f"the second try of {kind} failed after a kill at {moment:.3f} s:\n{result.err.decode()}")
    if leftovers(target):
        raise Fault(f"{kind} left {leftovers(target)[0].name} after a kill at {moment:.3f} s")
    if kind == "import":
        return
    name = "c.cache" if kind == "cache" else "run/checkpoints"
    reference = bench.reference(kind)
    made = [(side / name).read_bytes() if kind == "cache" else digest(side / name / "step-000003")
            for side in (target, reference)]
    if made[0] != made[1]:
        raise Fault(f"{kind} gives another result after a kill at {moment:.3f} s")


def limit(bench):
    target = bench.folder / "limited"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    command, reason = bench.rng.choice([
        (bench.cache(target / "c.cache"), "cache"),
        (["data", "import", "yolo", bench.folder / "yolo", target / "coco"], "import"),
        (["data", "check", bench.data, "--json", target / "r.json"], "check"),
        (["eval", "--ground-truth", bench.data / "annotations/instances_val2017.json", "--detections",
          bench.folder / "found.json", "--json", target / "r.json"], "eval"),
        (bench.training(target / "run"), "train"),
    ])
    kind = bench.rng.choice(["AS", "FSIZE", "NOFILE"])
    value = {"AS": lambda: int(2 ** bench.rng.uniform(26, 32)),
             "FSIZE": lambda: int(2 ** bench.rng.uniform(0, 26)),
             "NOFILE": lambda: bench.rng.randint(3, 24)}[kind]()
    result = bench.run(command, limits={getattr(resource, "RLIMIT_" + kind): value})
    if result.code == 0:
        return
    again = command + (["--resume"] if reason == "train" else [])
    second = bench.run(again)
    if second.code != 0:
        raise Fault(f"the second try of {reason} failed after {kind} {value}:\n{second.err.decode()}")


def link(bench):
    target = bench.folder / "linked"
    shutil.rmtree(target, ignore_errors=True)
    (target / "victims").mkdir(parents=True)
    names = {"cache": ["c.cache", "c.cache.partial"],
             "import": ["coco/annotations/instances_train2017.json", "coco/annotations/instances_train2017.json.new",
                        "coco/annotations/instances_val2017.json.new", "coco/train2017/0.jpg"],
             "report": ["r.json", "r.json.new", "r.json.tmp"],
             "train": ["run/lock", "run/log.jsonl", "run/checkpoints/step-000001", "summary.json"]}
    kind = bench.rng.choice(["cache", "import", "report", "cache", "import", "report", "train"])
    chosen = bench.rng.sample(names[kind], bench.rng.randint(1, len(names[kind])))
    for number, name in enumerate(chosen):
        victim = target / "victims" / str(number)
        victim.write_text("the victim's")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if bench.rng.random() < 0.7:
            (target / name).symlink_to(victim)
        else:
            os.link(victim, target / name)
    command = {"cache": lambda: bench.cache(target / "c.cache"),
               "import": lambda: ["data", "import", "yolo", bench.folder / "yolo", target / "coco"],
               "report": lambda: ["data", "check", bench.data, "--json", target / "r.json"],
               "train": lambda: bench.training(target / "run", ["--json-summary", target / "summary.json"])}[kind]()
    bench.run(command)
    for victim in (target / "victims").iterdir():
        if victim.read_text() != "the victim's":
            raise Fault(f"{kind} wrote through {chosen}")


def mutated(rng, content):
    data = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if not data:
            break
        at, length = rng.randrange(len(data)), rng.choice([1, 1, 2, 8, 100])
        how = rng.randrange(7)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at:at + length] = bytes(rng.randrange(256) for _ in range(length))
        elif how == 2:
            del data[at:at + length]
        elif how == 3:
            data[at:at] = data[at:at + length] * rng.randint(1, 50)
        elif how == 4:
            data[at:] = b""
        elif how == 5:
            data[at:at + length] = rng.choice([b"-1", b"1e308", b"null", b"[" * 5000, b"{\"a\":", b"\"", b"9" * 400,
                                               b"\x00", b"\xff\xfe", b"\x1b[2J", b"18446744073709551616", b"&a *a"])
        else:
            other = rng.randrange(len(data))
            data[at:at + length] = data[other:other + length]
    return bytes(data)


def mutate(bench):
    rng = bench.rng
    work = bench.folder / "mutated"
    shutil.rmtree(work, ignore_errors=True)
    reference = bench.reference("train")
    cache = bench.folder / "whole.cache"
    if not cache.exists():
        bench.run(bench.cache(cache, "files" if rng.random() < 0.5 else "raw"))
    kind = rng.choice(["coco", "found", "cache", "yolo", "labels", "voc", "image", "cache", "coco", "state", "log",
                       "model"])
    work.mkdir()
    if kind in ("coco", "image"):
        shutil.copytree(bench.data, work / "data")
        images = sorted((work / "data/train2017").iterdir())
        file = work / "data/annotations/instances_train2017.json" if kind == "coco" else rng.choice(images)
        command = rng.choice([["data", "check", work / "data", "--json", work / "r.json"],
                              ["data", "cache", "--data", work / "data", "--out", work / "c.cache"]])
    elif kind == "found":
        file = work / "found.json"
        shutil.copy(bench.folder / "found.json", file)
        command = ["eval", "--ground-truth", bench.data / "annotations/instances_val2017.json", "--detections", file]
    elif kind == "cache":
        file = work / "c.cache"
        shutil.copy(cache, file)
        command = ["data", "check", file, "--json", work / "r.json"]
    elif kind in ("yolo", "labels", "voc"):
        source = "voc" if kind == "voc" else "yolo"
        shutil.copytree(bench.folder / source, work / source)
        file = {"yolo": work / "yolo/data.yaml", "labels": work / "yolo/labels/train/0.txt",
                "voc": rng.choice([work / "voc/Annotations/0.xml", work / "voc/ImageSets/Main/train.txt"])
                if kind == "voc" else None}[kind]
        command = ["data", "import", source, work / source, work / "coco"]
    else:
        shutil.copytree(reference / "run", work / "run")
        latest = work / "run/checkpoints/step-000003"
        file = {"state": latest / "state.json", "log": work / "run/log.jsonl",
                "model": latest / rng.choice(["model.safetensors", "optimizer.safetensors"])}[kind]
        command = bench.training(work / "run", ["--resume"])
    file.write_bytes(mutated(rng, file.read_bytes()))
    result = bench.run(command)
    if kind not in bench.peak:
        bench.peak[kind] = (600 if kind in ("state", "log", "model") else 100) << 20
    bench.check(result, command, bench.peak[kind])
    if kind == "model" and result.code == 0:
        raise Fault("a changed model was taken")


def change(bench):
    rng = bench.rng
    work = bench.folder / "changed"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    encoding = rng.choice(["raw", "files"])
    bench.run(bench.cache(work / "c.cache", encoding))
    file = work / "c.cache"
    command = rng.choice([
        ["bench", "data", "--data", file, "--threads", "2", "--batch-size", "4", "--benchmark-warmup", "1",
         "--benchmark-iterations", "20", "--repeats", "2", "--json", work / "r.json"],
        ["data", "check", file, "--json", work / "r.json"],
    ])
    moment, how = rng.uniform(0, 0.3), rng.randrange(4)
    whole = file.read_bytes()

    def disturb(_):
        time.sleep(moment)
        with open(file, "r+b") as stream:
            if how == 0:
                stream.truncate(rng.randrange(len(whole)))
            elif how == 1:
                stream.truncate(0)
            elif how == 2:
                at = rng.randrange(len(whole))
                stream.seek(at)
                stream.write(bytes(rng.randrange(256) for _ in range(min(5000, len(whole) - at))))
            else:
                stream.truncate(rng.randrange(len(whole)))
                time.sleep(0.02)
                stream.truncate(len(whole))

    bench.run(command, disturb=disturb)


KINDS = {"kill": kill, "limit": limit, "link": link, "mutate": mutate, "change": change, "ranks": ranks}
DEFAULT_KINDS = [kind for kind in KINDS if kind != "ranks"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kinds", default=",".join(DEFAULT_KINDS))
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    kinds = options.kinds.split(",")
    print(f"seed {seed}", flush=True)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="singleshot-faults-"))
    folder.mkdir(exist_ok=True)
    rng = random.Random(seed)
    counts, faults = dict.fromkeys(kinds, 0), []
    spent = dict.fromkeys(kinds, 0.0)
    try:
        bench = Bench(options.program.resolve(), folder, rng)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end and len(faults) < 10:
            kind = min(kinds, key=spent.get)
            start = time.monotonic()
            try:
                KINDS[kind](bench)
            except Fault as fault:
                faults.append(kind)
                print(f"FAULT in trial {counts[kind]} of {kind}: {fault}", flush=True)
            counts[kind] += 1
            spent[kind] += time.monotonic() - start
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    trials = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(f"faults: {trials}; {len(faults)} not borne (seed {seed})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
