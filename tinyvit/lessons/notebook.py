"""A lesson as a Jupyter notebook."""

from pathlib import Path

from ..errors import InputError
from ..files import whole_file


def write_notebook(lesson, folder):
    """Write a lesson as .ipynb, not run yet.

    lesson : `Lesson`
    folder : where to; made if it is not there

    Returns the path. Raises InputError where jupytext is missing.
    """
    try:
        import jupytext
    except ModuleNotFoundError:
        raise InputError("notebooks need jupytext: pip install jupytext") from None
    notebook = jupytext.read(lesson.path, fmt="py:percent")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = kernel
    path = Path(folder) / f"{lesson.path.stem}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        jupytext.write(notebook, temporary, fmt="ipynb")
    return path
