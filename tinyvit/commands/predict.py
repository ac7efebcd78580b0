"""`tinyvit predict`: say what is on your own pictures."""

import numpy as np

from ..backend import to_device
from ..display import make_console
from ..ops import softmax_forward
from ..picture import read_picture
from ..predict import predict
from ..runs import RunFolder
from ..workers import Workers
from .options import add_threads, picture

EXAMPLES = """\
examples:
  tinyvit predict runs/mnist-vit photo.jpg
  tinyvit predict runs/mnist-vit *.png --save seen.png
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument("folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="any size, colour or grey, dark on light or light on dark; one character each",
    )
    parser.add_argument(
        "--save", type=picture, metavar="FILE", help="draw what the model saw and said"
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    add_threads(parser)


def run(args):
    """Print the most likely classes of each picture; returns the exit status."""
    from rich.table import Column, Table

    folder = RunFolder(args.folder)
    settings = folder.settings()
    params, config = folder.weights()
    prepared = (config.img_size, config.in_chans, settings.ink_fraction)
    images = np.concatenate([read_picture(path, *prepared) for path in args.pictures])
    params = to_device(params, args.device)
    workers = Workers(args.threads)
    logits = predict(images, params, config, device=args.device, workers=workers)
    probabilities, _ = softmax_forward(logits)
    table = Table(Column("picture", overflow="fold"), "is", "next")
    for path, row in zip(args.pictures, probabilities, strict=True):
        first, *others = [f"{k} ({row[k]:.1%})" for k in np.argsort(-row)[:3]]
        table.add_row(path, first, ", ".join(others))
    make_console().print(table)
    if args.save:
        from .. import show

        show.save(show.predictions(images, probabilities, args.pictures), args.save)
    return 0
