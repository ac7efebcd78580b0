"""Writing files whole or not at all."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path):
    """Give a temporary path beside `path`; rename it to `path` when the block ends well.

    A reader sees the old file or the new one, never half of either, also after `kill -9` or a power
    cut: the bytes reach the disk before the name does.

    path : the file to write.

    Yields the temporary path, in the same folder; it is removed when the block raises.
    Raises OSError where the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # the name that the user knows
        raise
