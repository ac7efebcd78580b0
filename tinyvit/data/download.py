"""Fetching MNIST from its mirrors."""

import hashlib
import http.client
import io
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError
from ..files import whole_file
from .idx import CHUNK, GZIP_DAMAGE, find_idx, unzipped

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# MD5 of the content, as one and the same content is in circulation in differently zipped files.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

MAX_BYTES = 64 * 10**6


class _BadFileError(Exception):
    """What a mirror sent is not the file that was asked for."""


def download_mnist(folder, mirrors=None, timeout=20.0):
    """Fetch those of MNIST's four files that a folder lacks, from the first mirror that has them.

    Only a file whose content has the right MD5 is written, and whole or not at all.

    folder : where the files go; made when it is missing
    mirrors : addresses, each ending in "/", tried in turn [default: MIRRORS]
    timeout : how long a mirror may stay silent [s]

    Raises InputError with each mirror's reason when all fail, or when the folder cannot be written.
    """
    reasons = []
    for mirror in MIRRORS if mirrors is None else mirrors:
        try:
            for stem, md5 in MD5.items():
                if not find_idx(folder, stem):
                    content = _fetch(f"{mirror}{stem}.gz", timeout)
                    _check(content, md5)
                    _write(Path(folder, f"{stem}.gz"), content)
            return
        except (OSError, http.client.HTTPException, _BadFileError) as error:
            reason = " ".join(str(error).split()).strip("<>") or type(error).__name__
            reasons.append(f"{urlsplit(mirror).netloc}: {reason}")
    raise InputError(f"mnist could not be downloaded ({'; '.join(reasons)})")


def _fetch(url, timeout):
    """Read what an address holds, at most MAX_BYTES, behind a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    content = b""
    with (
        urllib.request.urlopen(url, timeout=timeout) as response,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task(url.rsplit("/", 1)[-1], total=response.length)
        while chunk := response.read(2**16):
            content += chunk
            progress.update(task, completed=len(content))
            if len(content) > MAX_BYTES:
                raise _BadFileError(f"more than {MAX_BYTES} bytes")
    return content


def _check(content, md5):
    """Compare the MD5 of the unzipped content, of which at most MAX_BYTES are unzipped."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    file = unzipped(io.BytesIO(content))
    try:
        while size <= MAX_BYTES and (chunk := file.read(CHUNK)):
            digest.update(chunk)
            size += len(chunk)
    except GZIP_DAMAGE as error:
        raise _BadFileError(f"damaged gzip data: {error}") from None
    if size > MAX_BYTES:
        raise _BadFileError(f"unzips to more than {MAX_BYTES} bytes")
    if digest.hexdigest() != md5:
        raise _BadFileError(f"the content's MD5 is {digest.hexdigest()}, expected {md5}")


def _write(path, content):
    """Write a file whole, its folder made first; a failure here is not the mirror's."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}: work in another folder"
        ) from None
