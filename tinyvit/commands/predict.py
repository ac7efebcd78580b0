"""`tinyvit predict`: say what is on your own pictures."""

import warnings
from pathlib import Path

import numpy as np

from ..backend import to_device
from ..checkpoint import open_checkpoint, weights_in
from ..class_names import class_names
from ..display import make_console
from ..errors import InputError
from ..models import model_of
from ..ops import softmax_forward
from ..picture import is_picture, read_picture
from ..predict import predict, predict_and_look
from ..preprocess import preprocessing, read_photograph
from ..runs import RunFolder
from ..workers import Workers
from .options import add_threads, picture

EXAMPLES = """\
examples:
  tinyvit predict runs/mnist-vit photo.jpg
  tinyvit predict runs/mnist-vit *.png --save seen.png
  tinyvit predict vit_base_patch16_224.safetensors dog.jpg --save dog-seen.png
  tinyvit predict B_16.npz *.jpg

A run that learnt digits looks for one character in each picture, and lays it
down as MNIST's are. Weights that learnt photographs see each picture resized as
their project does it. For 224x224 pixels, where the file beside them is absent:
  timm            shorter side to 248, middle cut out   config.json
  Hugging Face    to 224x224                            preprocessor_config.json
  google, .npz    to 224x224, from single pixels
The 5 likeliest classes have the names of config.json beside the weights, or
ImageNet's where there are 1,000, or their numbers.
--save draws over each photograph where the class token looks: in the last block
and through all blocks together (attention rollout). A bright patch gets most.
"""
TOP = 5
MOST_DRAWN = 100  # pictures in one file; a PNG holds no more than 65,535 lines


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="a run's folder, a file of weights (.safetensors, .npz), or the folder it lies in",
    )
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="any size, colour or grey; for a run of digits one character each, dark on light or "
        "light on dark",
    )
    parser.add_argument(
        "--save", type=picture, metavar="FILE", help="draw what the model saw and said"
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    add_threads(parser)


def run(args):
    """Print the most likely classes of each picture; returns the exit status."""
    if args.save and len(args.pictures) > MOST_DRAWN:
        raise InputError(
            f"--save {args.save}: draws {MOST_DRAWN} pictures at most, not {len(args.pictures)}"
        )
    path = Path(args.weights)
    weights = path if path.is_file() else weights_in(path)
    folder = RunFolder(weights.parent if weights else path)
    if folder.config.is_file() and weights in (None, folder.checkpoint):
        return _with_run(args, folder)
    if weights is None or (path.is_dir() and weights == folder.checkpoint):
        missing = "" if path.exists() else " (there is no such file)"
        raise InputError(
            f"{path}: holds no run and no weights{missing}: name a run's folder (tinyvit train "
            "makes one), a file of weights (.safetensors, .npz), or a folder with model.safetensors"
        )
    return _with_weights(args, weights)


def _with_run(args, folder):
    """Characters, as the run's data set has them."""
    settings = folder.settings()
    params, config = folder.weights()
    prepared = (config.img_size, config.in_chans, settings.ink_fraction)
    images = np.concatenate([read_picture(path, *prepared) for path in args.pictures])
    params = to_device(params, args.device)
    workers = Workers(args.threads)
    logits = predict(images, params, config, device=args.device, workers=workers)
    probabilities, _ = softmax_forward(logits)
    _print_digits(args.pictures, probabilities)
    if args.save:
        from .. import show

        show.save(show.predictions(images, probabilities, args.pictures), args.save)
    return 0


def _with_weights(args, path):
    """Photographs, as the project of the weights has them."""
    checkpoint = _open(args, path)
    if not np.any(checkpoint.params["head.weight"]):
        warnings.warn(f"{checkpoint.path}: the head is all zeros: it names nothing", stacklevel=2)
    config, how = checkpoint.config, preprocessing(checkpoint)
    names = class_names(checkpoint)
    images = np.concatenate([read_photograph(path, how) for path in args.pictures])
    params = to_device(checkpoint.params, args.device)
    options = {"device": args.device, "workers": Workers(args.threads)}
    looks = args.save and model_of(config).attention is not None
    if looks:
        logits, last, rollout = predict_and_look(images, params, config, **options)
    else:
        logits = predict(images, params, config, **options)
    if not np.isfinite(logits).all():
        raise InputError(
            f"{checkpoint.path}: its logits are no numbers: the weights are too large for float32"
        )
    probabilities, _ = softmax_forward(logits)
    _print_classes(args.pictures, probabilities, names)
    if args.save:
        from .. import show

        seen = how.pixels(images)
        maps = {}
        if looks:
            who = "class token" if config.class_token else "all patches"
            maps = {f"{who}, last block": last, f"{who}, all blocks (rollout)": rollout}
        figure = show.classified(seen, probabilities, names, args.pictures, maps)
        show.save(figure, args.save)
    return 0


def _open(args, path):
    try:
        return open_checkpoint(path)
    except InputError as error:
        if not is_picture(path):
            raise
        weights = [other for other in args.pictures if not is_picture(other)] or ["WEIGHTS"]
        raise InputError(
            f"{path}: a picture, where the weights should be: they come first, as in tinyvit "
            f"predict {weights[0]} {path}"
        ) from error


def _print_digits(paths, probabilities):
    from rich.table import Column, Table

    table = Table(Column("picture", overflow="fold"), "is", "next")
    for path, row in zip(paths, probabilities, strict=True):
        first, *others = [f"{k} ({row[k]:.1%})" for k in np.argsort(-row)[:3]]
        table.add_row(path, first, ", ".join(others))
    make_console().print(table)


def _print_classes(paths, probabilities, names):
    from rich.table import Column, Table

    table = Table(
        Column("picture", overflow="fold"),
        Column("probability", justify="right"),
        Column("class", justify="right"),
    )
    numbers = [str(k) for k in range(len(names))]
    if names != numbers:
        table.add_column("name", overflow="ellipsis", no_wrap=True)
    for path, row in zip(paths, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:TOP]
        for place, k in enumerate(best):
            share = f"{row[k]:.1%}" if row[k] >= 0.0005 else "< 0.1%"
            words = [path if place == 0 else "", share, numbers[k], names[k]]
            table.add_row(*words[: len(table.columns)], end_section=place == len(best) - 1)
    make_console().print(table)
