"""The .cu files: what their heads say, and what nvcc makes of them."""

import re
import shutil
from pathlib import Path

import cuda_registers
import pytest
from cuda_registers import Unit, Usage, compile_all, faults, options, read_usage, stems, text, units

ROOT = Path(__file__).parents[1]
HAS = {
    "textbook": r"Textbook: tinyvit/",
    "tolerance": r"^// Tolerance: .*\d",
    "ladder": r"^// Ladder\n//   \d  ",
}
VERBOSE = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'one' for 'sm_75'
ptxas info    : Function properties for one
    104 bytes stack frame, 184 bytes spill stores, 144 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 104 bytes cumulative stack size, 3152 bytes \
smem, 408 bytes cmem[0]
ptxas info    : Compiling entry function 'one' for 'sm_90'
ptxas info    : Function properties for one
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 54 registers, used 0 barriers
"""
each_file = pytest.mark.parametrize("stem", stems())
needs_nvcc = pytest.mark.skipif(not shutil.which("nvcc"), reason="needs nvcc: CUDA's compiler")


def head(stem):
    """The comment that a file begins with."""
    return text(stem).partition("\n\n#")[0]


@each_file
def test_a_head_names_textbook_tolerance_and_ladder(stem):
    assert all(line.startswith("//") for line in head(stem).splitlines())
    has = {part for part, words in HAS.items() if re.search(words, head(stem), re.MULTILINE)}
    assert has == HAS.keys()


@each_file
def test_the_textbook_that_is_named_is_there(stem):
    for path in re.findall(r"tinyvit/[\w/]+\.\w+", head(stem)):
        assert (ROOT / path).is_file(), path


def test_there_are_kernels_at_all():
    assert {"attention", "layernorm", "optim"} <= set(stems())
    assert {unit.stem for unit in units()} == set(stems())


def test_a_profiler_can_find_the_lines():
    assert "-lineinfo" in options()


def test_what_ptxas_says_is_understood():
    usage = read_usage(VERBOSE)
    assert usage == {"one": {75: Usage(128, 328, 3152), 90: Usage(54, 0, 0)}}
    wrong = faults([(Unit("some", {"D": 5}), usage), (Unit("other", {}), RuntimeError("words"))])
    assert wrong == ["some.cu {'D': 5}: one on sm_75 spills 328 bytes", "words"]


def test_without_nvcc_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert cuda_registers.main() == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nvcc" in err


@needs_nvcc
def test_a_mistake_and_a_spill_are_shown(monkeypatch, capsys, tmp_path):
    for name in ("common.cuh", "source.py"):
        (tmp_path / name).write_text((cuda_registers.FOLDER / name).read_text())
    (tmp_path / "mistake.cu").write_text("__global__ void f() { nothing; }")
    (tmp_path / "spill.cu").write_text(
        'extern "C" __global__ void __launch_bounds__(1024, 2) f(float* x) {\n'
        "    float a[200];\n"
        "#pragma unroll\n"
        "    for (int i = 0; i < 200; i++) a[i] = x[i * 1024 + threadIdx.x];\n"
        "    __syncthreads();\n"
        "#pragma unroll\n"
        "    for (int i = 0; i < 200; i++) x[threadIdx.x * 200 + i] = a[i] * a[199 - i];\n"
        "}\n"
    )
    monkeypatch.setattr(cuda_registers, "FOLDER", tmp_path)
    assert cuda_registers.main() == 1
    out, err = capsys.readouterr()
    assert "does not compile" in out and re.search(r"spill\.cu +f .*\d \+\d", out)
    assert "mistake.cu" in err and re.search(r"f on sm_90 spills \d+ bytes", err)


@needs_nvcc
def test_every_file_stands_alone():
    results = compile_all([Unit(stem, {}) for stem in stems()], (75, 90))
    assert not faults(results), faults(results)
    kernels = {name for _, usage in results for name in usage}
    assert {"attention_forward", "attention_backward", "adamw", "take_batch"} <= kernels
    for _, usage in results:
        assert all(set(by_architecture) == {75, 90} for by_architecture in usage.values())


@pytest.mark.parametrize("unit", cuda_registers.units(), ids=str)
@pytest.mark.parametrize("architecture", [75, 90])
def test_nvrtc_compiles_what_cupy_will_give_it(unit, architecture, cupy):
    """CUDA's other compiler: it has no headers of its own, and runs where there is no driver."""
    from cuda import pathfinder
    from cupy.cuda.compiler import compile_using_nvrtc

    from tinyvit.kernels.cuda.source import OPTIONS, source

    try:
        pathfinder.load_nvidia_dynamic_lib("nvrtc")
    except pathfinder.DynamicLibNotFoundError:
        pytest.skip("needs NVRTC: pip install nvidia-cuda-nvrtc-cu12")
    code = source(unit.stem, **unit.macros)
    compile_using_nvrtc(code, OPTIONS, str(architecture), f"{unit.stem}.cu")
