"""`tinyvit summary`: list the parameters of a model, or every stage of its way there and back."""

import json
from pathlib import Path

import numpy as np

from ..display import make_console, saying
from ..errors import InputError
from ..models import MODELS, get_model
from ..params import count_params
from ..trace import trace
from ..trace_table import print_tables
from .options import picture

EXAMPLES = """\
examples:
  tinyvit summary vit_base_patch16_224
  tinyvit summary mnist --model cnn
  tinyvit summary vit_base_patch16_224 --trace --backward --save path.png
  tinyvit summary digits --trace --json
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    add = parser.add_argument
    add("preset", metavar="PRESET", help="digits, mnist, vit_base_patch16_224 ...")
    add("--model", default="vit", metavar="NAME", help=f"{' or '.join(MODELS)}")
    about = "send a random image through: each stage's shapes, parameters, multiply-adds, time"
    add("--trace", action="store_true", help=about)
    add("--backward", action="store_true", help="with --trace: the way back, too")
    add("--json", action="store_true", help="with --trace: print every stage as JSON, not a table")
    about = "with --trace: a picture, each array a block to scale; of the way back FILE-backward"
    add("--save", type=picture, metavar="FILE", help=about)


def run(args):
    """Print the table; returns the exit status."""
    model = get_model(args.model)
    config = model.config_class.preset(args.preset)
    if args.trace:
        return _trace(args, model, config)
    for name in ("backward", "json", "save"):
        if getattr(args, name):
            raise InputError(f"--{name} has no meaning without --trace: add --trace")
    _parameters(args.preset, model, config)
    return 0


def _parameters(preset, model, config):
    from rich.table import Table

    shapes = model.param_shapes(config)
    total = f"{count_params(shapes):,}"
    table = Table("parameter", "shape", "numbers", show_footer=True)
    table.columns[0].footer, table.columns[2].footer = "all", total
    table.columns[2].justify = "right"
    for name, shape in shapes.items():
        table.add_row(name, " x ".join(map(str, shape)), f"{count_params({name: shape}):,}")
    console = make_console()
    console.print(table)
    console.print(_told(preset, config))


def _trace(args, model, config):
    if args.model != "vit":
        raise InputError(f"--trace goes through the ViT only, not the {args.model}: leave it out")
    from threadpoolctl import threadpool_limits

    shape = (1, config.in_chans, config.img_size, config.img_size)
    images = np.random.default_rng(0).standard_normal(shape).astype("float32")
    with saying(f"one random image through {args.preset}"):
        params = model.init_params(config)
        with threadpool_limits(1, user_api="blas"):  # one core's time is the same each time
            traced = trace(images, params, config, backward=args.backward)
    pictures = _draw(traced, args.save) if args.save else []
    if args.json:
        report = {"preset": args.preset, "blas_threads": 1, **traced.to_dict()}
        report["pictures"] = pictures
        print(json.dumps(report, indent=2))
        return 0
    console = make_console()
    console.print(_told(args.preset, config))
    print_tables(traced, console)
    console.print("Timed with one BLAS thread.")
    for path in pictures:
        console.print(f"picture: {path}")
    return 0


def _draw(traced, path):
    """Save a picture of each direction; returns their names."""
    from .. import show

    path, saved = Path(path), []
    for direction in traced.directions:
        place = path if direction == "forward" else path.with_stem(f"{path.stem}-backward")
        show.save(show.data_path(traced, direction=direction), place)
        saved.append(str(place))
    return saved


def _told(preset, config):
    return f"{preset}: {', '.join(f'{name}={value}' for name, value in vars(config).items())}"
