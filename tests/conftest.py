"""The --slow option, and CuPy: on a GPU, or on an emulated one where `fakegpu` is installed."""

from importlib.util import find_spec

import pytest

if find_spec("fakegpu") and find_spec("cupy"):
    import fakegpu

    if not fakegpu.real_gpus():
        fakegpu.install()  # before the first import of cupy


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take long, too")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(scope="session")
def cupy():
    """CuPy with a GPU, real or emulated; a test that asks for it is skipped where there is none."""
    module = pytest.importorskip("cupy")
    try:
        count = module.cuda.runtime.getDeviceCount()
    except module.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no NVIDIA driver: {error}")
    if count == 0:
        pytest.skip("no NVIDIA GPU")
    return module
