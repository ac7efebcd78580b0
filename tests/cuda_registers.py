"""What nvcc makes of the kernels: registers, spills and static shared memory, card by card.

    python tests/cuda_registers.py

A spill is a register that had to be put in memory. Exit status 1 if anything spills or does not
compile, 2 where there is no nvcc.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "tinyvit" / "kernels" / "cuda"
ARCHITECTURES = (75, 80, 86, 89, 90)  # T4, A100, RTX 30, RTX 40, H100
TYPES = {"float": {"REAL": "float"}, "bf16": {"REAL": "float", "STORED": "bf16"}}
ATTENTION = [
    {"TOKENS": tokens, "HEADS": heads, "HEAD_DIM": dim}
    for tokens, heads, dim in [(50, 4, 16), (50, 4, 32), (17, 4, 24), (17, 4, 16), (197, 12, 64)]
]
SIZES = {  # the macros of a file, at the sizes that matter
    "attention": ATTENTION,
    "attention_mma": [{"STORED": "bf16"} | sizes for sizes in ATTENTION],
    "gelu": [{"ACTIVATION": activation, "VECTOR": 4} for activation in range(3)],
    "layernorm": [{"D": D, "VECTOR": v} for D, v in ((64, 2), (96, 1), (128, 4), (768, 4))],
}
WIDTH = 200  # of the table at most: a cell is never cut short


class Unit(NamedTuple):
    """One compilation: `stem`.cu with some macros; without any, as the file stands."""

    stem: str
    macros: dict

    @property
    def type(self):
        """What the activations are stored as."""
        return self.macros.get("STORED", self.macros.get("REAL", ""))

    @property
    def sizes(self):
        """The other macros' values."""
        types = ("REAL", "STORED")
        return "/".join(str(value) for name, value in self.macros.items() if name not in types)


class Usage(NamedTuple):
    """What a kernel needs on one architecture."""

    registers: int  # of a thread
    spills: int  # stored and loaded again [bytes of a thread]
    shared: int  # static shared memory [bytes of a block]


def stems():
    """Names of the .cu files, without the suffix."""
    return sorted(path.stem for path in FOLDER.glob("*.cu"))


def text(stem):
    """What a .cu file says."""
    return (FOLDER / f"{stem}.cu").read_text()


def options():
    """The options that the kernels are compiled with, read from source.py: CuPy may be missing."""
    for statement in ast.parse((FOLDER / "source.py").read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "OPTIONS":
            return ast.literal_eval(statement.value)
    raise LookupError("source.py has no OPTIONS")


def units():
    """Every compilation worth a look: in bf16, too, where activations are stored."""
    return [
        Unit(stem, macros | sizes)
        for stem in stems()
        for name, macros in TYPES.items()
        if name == "float" or "stored" in text(stem)
        for sizes in SIZES.get(stem, [{}])
    ]


def compile_unit(unit, architectures=ARCHITECTURES):
    """Compile for several architectures at once.

    Returns dict kernel -> dict architecture -> Usage. Raises RuntimeError with nvcc's words.
    """
    with TemporaryDirectory() as folder:
        words = [
            *("nvcc", "-fatbin", *options(), "-Xptxas", "-v"),
            *(f"-gencode=arch=compute_{number},code=sm_{number}" for number in architectures),
            *(f"-D{name}={value}" for name, value in unit.macros.items()),
            *("-o", f"{folder}/out.fatbin", str(FOLDER / f"{unit.stem}.cu")),
        ]
        done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{unit.stem}.cu {unit.macros}: {done.stderr.strip()}")
    return read_usage(done.stderr)


def read_usage(words):
    """Read what `ptxas -v` says.

    Returns dict kernel -> dict architecture -> Usage.
    """
    usage = {}
    for part in words.split("Compiling entry function ")[1:]:
        kernel, architecture = re.match(r"'(\w+)' for 'sm_(\d+)'", part).groups()
        spills = sum(map(int, re.findall(r"(\d+) bytes spill", part)))
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        shared = re.search(r"(\d+) bytes smem", part)
        one = Usage(registers, spills, int(shared[1]) if shared else 0)
        usage.setdefault(kernel, {})[int(architecture)] = one
    return usage


def compile_all(units, architectures=ARCHITECTURES):
    """Compile on all cores.

    Returns a list of pairs: a Unit, and what `compile_unit` returned or the error that it raised.
    """

    def attempt(unit):
        try:
            return compile_unit(unit, architectures)
        except RuntimeError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(zip(units, pool.map(attempt, units), strict=True))


def faults(results):
    """A line for everything that spills or does not compile."""
    lines = []
    for unit, usage in results:
        if isinstance(usage, RuntimeError):
            lines.append(str(usage))
            continue
        for kernel, by_architecture in usage.items():
            for architecture, one in by_architecture.items():
                if one.spills:
                    where = f"{unit.stem}.cu {unit.macros}: {kernel} on sm_{architecture}"
                    lines.append(f"{where} spills {one.spills} bytes")
    return lines


def table(results):
    """A line for each kernel of each compilation, as a rich table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "registers of a thread + bytes spilled; static shared memory of a block [bytes]"
    out = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("file", "kernel", "type", "sizes"):
        out.add_column(heading, no_wrap=True)
    for heading in (*(f"sm_{number}" for number in ARCHITECTURES), "shared"):
        out.add_column(heading, justify="right", no_wrap=True)
    for unit, usage in results:
        if isinstance(usage, RuntimeError):
            out.add_row(f"{unit.stem}.cu", "[red]does not compile", unit.type, unit.sizes)
            continue
        for kernel, by_architecture in usage.items():
            cells = [_cell(by_architecture[number]) for number in ARCHITECTURES]
            shared = max(one.shared for one in by_architecture.values())
            out.add_row(f"{unit.stem}.cu", kernel, unit.type, unit.sizes, *cells, str(shared))
    return out


def _cell(usage):
    return str(usage.registers) + (f" [red]+{usage.spills}[/]" if usage.spills else "")


def main():
    """Print the table, and what is wrong; returns the exit status."""
    if not shutil.which("nvcc"):
        print("nvcc is not on the path: it comes with NVIDIA's CUDA toolkit", file=sys.stderr)
        return 2
    from rich.console import Console

    results = compile_all(units())
    Console(width=WIDTH).print(table(results))
    wrong = faults(results)
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
