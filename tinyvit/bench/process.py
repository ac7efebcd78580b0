"""A contestant in a process of its own: its memory is its own, and no other's threads disturb it.

    python -m tinyvit.bench.process '{"name": "tinyvit", "config": {...}, "batch": 128, ...}'

writes a line of JSON about itself, then one for every line it reads, when it has done its work
again: {"seconds": [...], "peak_bytes": ...}.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from ..config import ViTConfig
from ..errors import InputError
from .cases import Case
from .contestants import CONTESTANTS
from .tricks import switch_off

TURN = 0.3  # seconds: short work is done several times in a turn
PAUSE = 0.1  # seconds: threads that have nothing more to do keep a core busy for a while


class Process:
    """A contestant, started, that has had a first turn.

    name : "tinyvit" or "pytorch"
    case : Case
    threads : CPU threads
    without : name of a trick to do without, or None
    """

    def __init__(self, name, case, threads, without=None):
        order = {"name": name, "config": asdict(case.config), "batch": case.batch}
        order |= {"work": case.work, "threads": threads, "without": without}
        words = [sys.executable, "-m", __name__, json.dumps(order)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._name = name
        self._child = subprocess.Popen(words, text=True, **pipes)
        try:
            self.about = self._answer()
            self.run()
        except BaseException:
            self.close()
            raise

    def run(self):
        """Take a turn; returns dict: `seconds`, a list, one for each time the work was done, and
        `peak_bytes`, so far.

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

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _answer(self):
        line = self._child.stdout.readline()
        if not line:
            status = self._child.wait()
            raise InputError(f"{self._name} ended with status {status}: too little memory?")
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
    """Be the process."""
    order = json.loads(order)
    case = Case(ViTConfig(**order["config"]), order["batch"], order["work"])
    settings = {"settings": switch_off(order["without"])} if order["without"] else {}
    contestant = CONTESTANTS[order["name"]](case, order["threads"], **settings)
    print(json.dumps(contestant.about()), flush=True)
    for _ in sys.stdin:
        seconds = []
        while sum(seconds) < TURN:
            start = time.perf_counter()
            contestant.run()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
