"""The kind `ranks` of faults.py: one of several processes under mpirun is lost."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from fault import Fault


def rank_of(process):
    """A process's rank, by its environment; None: it is none of a run's, or has ended."""
    with contextlib.suppress(OSError, ValueError):
        for variable in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
            if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                return int(variable.split(b"=")[1])
    return None


def children_of(parent):
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                rank = rank_of(entry.name)
                if rank is not None:
                    found[rank] = int(entry.name)
    return found


def ranks(bench):
    target = bench.folder / "ranks"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    training = ["train", "--data", bench.data, "--backbone", "resnet18", "--pretrained", "none", "--iterations", "60",
                "--checkpoint-interval", "2", "--evaluation", "0", "1", "2", "3", "--batch-norm-images", "4", "--save",
                target / "run"]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

    def start(processes, batch, more=()):
        return subprocess.Popen(["mpirun", "--oversubscribe", "-n", str(processes), bench.program,
                                 *map(str, training), "--batch-size", str(batch), *more],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env=environment)

    moment, lost = bench.rng.uniform(1, 30), bench.rng.randrange(4)
    kind = bench.rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
    process = start(4, 1)
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read().decode("utf-8", "replace")))
    reader.start()
    time.sleep(moment)
    ids = children_of(process.pid)
    if lost not in ids:
        process.kill()
        raise Fault(f"ranks: no rank {lost} after {moment:.1f} s")
    os.kill(ids[lost], kind)
    begin = time.monotonic()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        raise Fault(f"ranks: 30 s after {kind.name} of rank {lost} at {moment:.1f} s the others still run") from None
    finally:
        for one in (process.pid, *ids.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
    reader.join()
    where = f"{kind.name} of rank {lost} at {moment:.1f} s, over in {time.monotonic() - begin:.1f} s"
    lines = [line for line in said[0].splitlines() if line.startswith("singleshot: ")]
    joined = any(line.startswith("resnet18 on 4 processes") for line in said[0].splitlines())
    if joined and (len(lines) != 1 or f"rank {lost} on " not in lines[0] or " at step " not in lines[0]):
        raise Fault(f"ranks: {where}: no line that names it:\n{said[0]}")
    checkpoints = sorted((target / "run/checkpoints").glob("step-*")) if (target / "run").exists() else []
    step = int(checkpoints[-1].name[5:]) if checkpoints else 0
    training[training.index("--iterations") + 1] = str(step + 1)
    again = start(2, 2, ["--resume"])
    err = again.communicate(timeout=300)[1].decode("utf-8", "replace")
    if again.returncode != 0 or (step > 0 and f"resuming after step {step}\n" not in err):
        raise Fault(f"ranks: {where}: two processes do not go on from step {step}:\n{err}")
    steps = [json.loads(line)["step"] for line in (target / "run/log.jsonl").read_text().splitlines()
             if '"event":"step"' in line]
    if steps != list(range(1, step + 2)):
        raise Fault(f"ranks: {where}: the log has steps {steps}")
