"""`tinyvit gradcheck`: check every backward against numerical derivatives."""

from ..backend import require_device
from ..display import make_console
from ..errors import InputError
from ..examples import model_example, on_gpu, op_examples
from ..gradcheck import check_backward
from ..models import MODELS
from .options import seed

EXAMPLES = """\
examples:
  tinyvit gradcheck
  tinyvit gradcheck layernorm attention
  tinyvit gradcheck vit
  tinyvit gradcheck --device gpu
"""

DIRECTIONS = 2  # random directions a parameter of a whole model


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="pairs or models (all of them)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the numbers (0)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")


def run(args):
    """Print each gradient's relative error; exit status 1 if one is wrong."""
    from rich.table import Table

    require_device(args.device)
    examples = {name: (example, None) for name, example in op_examples(args.seed).items()}
    examples |= {name: (model_example(name, args.seed), DIRECTIONS) for name in MODELS}
    chosen = _choose(examples, args.names)
    console = make_console()
    wrong = checked = 0
    table = Table("pair", "gradient", "relative error", "")
    for name, (example, directions) in chosen.items():
        example = on_gpu(example) if args.device == "gpu" else example
        report = check_backward(
            example.forward,
            example.backward,
            example.args,
            kwargs=example.kwargs,
            seed=args.seed,
            directions=directions,
        )
        for gradient in report.gradients:
            verdict = "ok" if gradient.ok else "WRONG"
            table.add_row(name, gradient.name, f"{gradient.error:.1e}", verdict)
            checked, wrong = checked + 1, wrong + (not gradient.ok)
            name = ""
    console.print(table)
    print(f"{checked - wrong} of {checked} gradients are right")
    return 1 if wrong else 0


def _choose(examples, names):
    known = list(dict.fromkeys(name.partition(",")[0] for name in examples))
    for name in names:
        if name not in known:
            raise InputError(f"no pair or model {name!r}: use {', '.join(known)}")
    return {
        name: example
        for name, example in examples.items()
        if not names or name.partition(",")[0] in names
    }
