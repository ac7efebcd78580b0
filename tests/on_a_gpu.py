"""All that has to be seen on a real card, in under nine minutes: run this wherever there is one.

    python tests/on_a_gpu.py --out gpu

Tests, the compiler's report, the benchmark beside PyTorch and JAX, and a training on MNIST (from
$TINYVIT_DATA or data/mnist), each in a process of its own with a time limit; what they say is kept
in the folder, and one table comes last. The parts that matter most come first: when the time is
up, the rest is left out, and the table says so. Exit status 1 if something that was seen fell
short.

Without a card it runs on the emulated one, where it is installed (PYTHONPATH=path/to/fakegpu):
tests and compiler as they are, one small training, and no times.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

REPO = Path(__file__).parents[1]
LIMIT = 9 * 60  # seconds
RESERVE = 5  # seconds, for the table
EMULATOR = "import fakegpu\nif not fakegpu.real_gpus():\n    fakegpu.install()\n"
TESTS = ("test_cupy.py", "test_cuda_kernels.py", "test_cuda_training.py", "test_bench_gpu.py")
RATIOS = [  # case, precision, which ratio, the most it may be
    ("A", "bf16", "ratio_to_eager", 0.25),
    ("A", "bf16", "ratio_to_compiled", 1.0),
    ("A128", "bf16", "ratio_to_eager", 0.25),
    ("A128", "bf16", "ratio_to_compiled", 1.0),
    ("B16-predict-64", "bf16", "ratio_to_eager", 1.1),
]
RIVALS = {"ratio_to_eager": "PyTorch eager", "ratio_to_compiled": "the better of compile and JAX"}


class Session:
    """Commands that are run one after another until the time is up, and what came of them."""

    def __init__(self, folder, environment):
        self._folder, self._environment = folder, environment
        self._end = time.monotonic() + LIMIT - RESERVE
        self.rows = []

    def run(self, name, words, most):
        """Run a command; its output goes to NAME.txt as well.

        words : of the command
        most : seconds

        Returns its output, or None when there was no time for it, or it did not end well.
        """
        left = min(most, self._end - time.monotonic())
        if left < 5:
            self.note(name, "no time left", "", None)
            return None
        print(f"{name}: {' '.join(map(str, words))} (at most {left:.0f} s)", flush=True)
        start, path = time.monotonic(), self._folder / f"{name}.txt"
        with path.open("w") as file:
            options = {"cwd": REPO, "env": self._environment, "stdin": subprocess.DEVNULL}
            try:
                done = subprocess.run(
                    words, stdout=file, stderr=subprocess.STDOUT, timeout=left, **options
                )
                ending, ok = f"status {done.returncode}" if done.returncode else None, False
            except subprocess.TimeoutExpired:
                ending, ok = f"not done after {left:.0f} s", None
        text = path.read_text(errors="replace")
        print(f"    {time.monotonic() - start:.0f} s{': ' + ending if ending else ''}", flush=True)
        if ending:
            last = (text.strip().splitlines() or ["no output"])[-1]
            self.note(name, f"{ending}: {last[:70]}", "", ok)
            return None
        return text

    def note(self, what, figure, must, ok):
        """Add a line to the table; ok : True, False, or None where nothing was asked or seen."""
        self.rows.append({"what": what, "figure": str(figure), "must": must, "ok": ok})


def main():
    """Run everything; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="gpu", help="folder for all output (gpu)")
    folder = Path(parser.parse_args().out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        emulated = bool(find_spec("fakegpu")) and not __import__("fakegpu").real_gpus()
        if emulated:
            Path(temporary, "sitecustomize.py").write_text(EMULATOR)
        path = [temporary, str(REPO), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "COLUMNS": "110"}
        session = Session(folder, environment)
        card(session)
        if emulated:
            tests(session)
            compiler(session)
            small_training(session, folder)
        else:
            mnist(session, folder, "bf16")
            benchmark(session, folder, "A", "bf16", 150)
            tests(session)
            benchmark(session, folder, "A128", "bf16", 120)
            benchmark(session, folder, "B16-predict-64", "bf16", 120)
            compiler(session)
            sanitizer(session)
            mnist(session, folder, "fp32")
            benchmark(session, folder, "A", "tf32", 90)
    (folder / "table.json").write_text(json.dumps(session.rows, indent=2) + "\n")
    print_table(session.rows)
    return 1 if any(row["ok"] is False for row in session.rows) else 0


def card(session):
    """What is there."""
    code = (
        "import json; from importlib.metadata import version, PackageNotFoundError\n"
        "from tinyvit.kernels.cuda import card\n"
        "found = card.describe() | {'capability': card.capability()}\n"
        "for name in ('torch', 'jax', 'numpy'):\n"
        "    try: found[name] = version(name)\n"
        "    except PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    text = session.run("card", [sys.executable, "-c", code], 60)
    if text:
        found = json.loads(text.splitlines()[-1])
        session.note("card", ", ".join(f"{k} {v}" for k, v in found.items() if v), "", None)


def compiler(session):
    """Registers and spills of every kernel."""
    words = [sys.executable, "tests/cuda_registers.py"]
    if session.run("registers", words, 180) is not None:
        session.note("kernels compiled, sm_75 to sm_90", "no spills", "no spills", True)


def sanitizer(session):
    """Accesses out of bounds, and races that an emulator cannot see, in a few small steps."""
    code = (
        "import numpy as np\n"
        "from tinyvit import ViTConfig, init_params\n"
        "from tinyvit.augment import Augmentation\n"
        "from tinyvit.train import Trainer\n"
        "config = ViTConfig.preset('mnist', patch_size=4, depth=2)\n"
        "images = np.random.default_rng(0).integers(0, 256, (16, 1, 28, 28), np.uint8)\n"
        "for precision in ('bf16', 'fp32'):\n"
        "    trainer = Trainer(config, init_params(config), device='gpu', precision=precision)\n"
        "    trainer.put(images, np.arange(16) % 10, Augmentation(shift=2.0, elastic=0.5))\n"
        "    for _ in range(3):\n"
        "        print(trainer.steps(np.arange(16).reshape(2, 8)))\n"
    )
    if not shutil.which("compute-sanitizer"):
        session.note("compute-sanitizer", "not installed", "", None)
        return
    for tool in ("memcheck", "racecheck"):
        words = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "1"]
        text = session.run(tool, [*words, sys.executable, "-c", code], 60)
        if text:
            session.note(tool, text.strip().splitlines()[-1].strip("= "), "no errors", True)


def tests(session):
    """The tests of everything on the card."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    words += ["-n", "8"] if find_spec("xdist") else []
    text = session.run("tests", words + [f"tests/{name}" for name in TESTS], 240)
    if text:
        session.note("tests", text.strip().splitlines()[-1], "all pass", True)


def benchmark(session, folder, case, precision, most):
    """`tinyvit bench --device gpu`: times, ratios and shares of the peaks."""
    name = f"bench-{case}-{precision}"
    words = [sys.executable, "-m", "tinyvit", "bench", "--device", "gpu", "--precision", precision]
    words += ["--seconds", "8", "--save", str(folder / f"{name}.png"), "--json", case]
    text = session.run(name, words, most)
    if not text:
        return
    report = json.loads(text[text.index("{") :])
    session.note(
        f"peaks, {precision}",
        f"{report['peak_flops'] / 1e12:.0f} TFLOP/s, {report['peak_bandwidth'] / 1e9:.0f} GB/s",
        "",
        None,
    )
    for row in report["cases"].values():
        for who, result in row["contestants"].items():
            figure = (
                f"{1e3 * result['seconds']:.3f} ms, {result['images_per_second']:,.0f} images/s"
            )
            if result["epoch_seconds"]:
                figure += f", {result['epoch_seconds']:.3f} s an epoch"
            if result["launches"]:
                figure += f", {result['launches']} launches"
            figure += f", {result['share_of_peak']:.1%} of peak"
            session.note(f"{case}, {precision}: {who}", figure, "", None)
        for who, reason in row["failed"].items():
            session.note(f"{case}, {precision}: {who}", reason[:90], "", None)
        ours = row["contestants"].get("tinyvit", {})
        for asked_case, asked_precision, ratio, most in RATIOS:
            if (case, precision) == (asked_case, asked_precision) and ours.get(ratio):
                what = f"{case}, {precision}: to {RIVALS[ratio]}"
                session.note(what, f"{ours[ratio]:.2f}", f"at most {most}", ours[ratio] <= most)


def mnist(session, folder, precision):
    """The default recipe on MNIST, twice: the first run compiles the kernels."""
    words = [sys.executable, "-m", "tinyvit", "train", "--dataset", "mnist", "--device", "gpu"]
    for seed in (0, 1):
        name = f"mnist-{precision}-{seed + 1}"
        run = folder / f"{name}-{time.time():.0f}"
        options = ["--precision", precision, "--seed", str(seed), "--out", str(run)]
        if session.run(name, words + options, 60) is None:
            continue
        summary = json.loads((run / "summary.json").read_text())
        accuracy, seconds = summary["test_accuracy"], summary["seconds"]
        what = f"{name}, {summary['epochs']} epochs"
        session.note(what, f"{accuracy:.2%}", "at least 99.0%", accuracy >= 0.99)
        session.note(f"{what}: training", f"{seconds:.1f} s", "aim: under 5 s", None)


def small_training(session, folder):
    """An epoch on the digits, on the emulated card."""
    words = [sys.executable, "-m", "tinyvit", "train", "--device", "gpu", "--epochs", "1"]
    words += ["--depth", "1", "--embed-dim", "8", "--num-heads", "2", "--patch-size", "4"]
    text = session.run("train", [*words, "--out", str(folder / f"run-{time.time():.0f}")], 120)
    if text:
        accuracy = re.search(r"test accuracy [\d.]+%", text)[0]
        session.note("a training on the emulated card", accuracy, "it ends", True)


def print_table(rows):
    """Print everything that was seen."""
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "figure", "asked", "")
    for row in rows:
        verdict = {True: "ok", False: "[red]FELL SHORT", None: ""}[row["ok"]]
        table.add_row(row["what"], row["figure"], row["must"], verdict)
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
