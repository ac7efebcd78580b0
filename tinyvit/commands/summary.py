"""`tinyvit summary`: list the parameters of a model."""

from ..display import make_console
from ..models import MODELS, get_model
from ..params import count_params

EXAMPLES = """\
examples:
  tinyvit summary vit_base_patch16_224
  tinyvit summary mnist --model cnn
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument("preset", metavar="PRESET", help="digits, mnist, vit_base_patch16_224 ...")
    parser.add_argument("--model", default="vit", metavar="NAME", help=f"{' or '.join(MODELS)}")


def run(args):
    """Print name, shape and size of every parameter; returns the exit status."""
    from rich.table import Table

    model = get_model(args.model)
    config = model.config_class.preset(args.preset)
    shapes = model.param_shapes(config)
    total = f"{count_params(shapes):,}"
    table = Table("parameter", "shape", "numbers", show_footer=True)
    table.columns[0].footer, table.columns[2].footer = "all", total
    table.columns[2].justify = "right"
    for name, shape in shapes.items():
        table.add_row(name, " x ".join(map(str, shape)), f"{count_params({name: shape}):,}")
    console = make_console()
    console.print(table)
    fields = ", ".join(f"{name}={value}" for name, value in vars(config).items())
    console.print(f"{args.preset}: {fields}")
    return 0
