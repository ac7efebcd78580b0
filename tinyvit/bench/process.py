"""A contestant in a process of its own: its memory is its own, and no other's threads disturb it.

    python -m tinyvit.bench.process '{"name": "tinyvit", "case": {...}, "threads": 2, ...}'

writes a line of JSON about itself, then one for every line it reads, when it has done its work
again: {"seconds": [...], "peak_bytes": ..., "launches": ...}.
"""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile

from ..config import ViTConfig
from ..errors import InputError
from . import gpu
from .cases import Case
from .contestants import CONTESTANTS
from .tricks import switch_off

TURN = 0.3  # seconds: short work is done several times in a turn
PAUSE = 0.1  # seconds: threads that have nothing more to do keep a core busy for a while
REASON = 200  # characters
SETTINGS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # JAX would take most of the card's memory


class Process:
    """A contestant, started, that has had a first turn.

    name : "tinyvit", "pytorch" ...: a contestant on the device
    case : Case
    threads : CPU threads; None on the GPU
    without : name of a trick to do without, or None
    device : "cpu" or "gpu"

    Raises InputError, with the reason, when the process ends by itself.
    """

    def __init__(self, name, case, threads=None, without=None, device="cpu"):
        order = {"name": name, "case": asdict(case), "threads": threads, "without": without}
        words = [sys.executable, "-m", __name__, json.dumps(order | {"device": device})]
        self._name = name
        self._errors = TemporaryFile("w+")  # noqa: SIM115
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self._child = subprocess.Popen(words, text=True, env=os.environ | SETTINGS, **pipes)
        try:
            self.about = self._answer()
            self.run()
        except BaseException:
            self.close()
            raise

    def run(self):
        """Take a turn.

        Returns dict: `seconds`, a list, one for each run of the work; `peak_bytes`, so far;
        `launches`, as of `Contestant`.
        Raises InputError when the process has ended by itself.
        """
        time.sleep(PAUSE)
        try:
            self._child.stdin.write("\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer says so
        return self._answer()

    def close(self):
        """End the process."""
        self._child.kill()
        self._child.communicate()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _answer(self):
        line = self._child.stdout.readline()
        if not line:
            status = self._child.wait()
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines()
            reason = said[-1][:REASON] if said and status > 0 else "too little memory?"
            raise InputError(f"{self._name} ended with status {status}: {reason}")
        return json.loads(line)


def peak_bytes():
    """The most memory this process has had so far [bytes]; None where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main(order):
    """Be the process; the last line of its complaint is what was wrong."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    try:
        contestant = _contestant(json.loads(order))
        print(json.dumps(contestant.about()), file=answers, flush=True)
        for _ in sys.stdin:
            print(json.dumps(_turn(contestant)), file=answers, flush=True)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _contestant(order):
    fields = order["case"]
    case = Case(**fields | {"config": ViTConfig(**fields["config"])})
    if order["device"] == "gpu":
        return gpu.CONTESTANTS[order["name"]].start(case)
    settings = {"settings": switch_off(order["without"])} if order["without"] else {}
    return CONTESTANTS[order["name"]](case, order["threads"], **settings)


def _turn(contestant):
    seconds = []
    while sum(seconds) < TURN:
        start = time.perf_counter()
        contestant.run()
        seconds.append(time.perf_counter() - start)
    each = [time / contestant.steps for time in seconds]
    return {"seconds": each, "peak_bytes": peak_bytes(), "launches": contestant.launches}


if __name__ == "__main__":
    main(sys.argv[1])
