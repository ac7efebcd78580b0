"""`tinyvit convert`: write a file of weights in another project's names."""

from pathlib import Path

from ..checkpoint import open_checkpoint, save_checkpoint
from ..checkpoint.formats import FORMATS
from ..config import ViTConfig
from ..params import count_params

EXAMPLES = """\
examples:
  tinyvit convert runs/mnist-vit hf/model.safetensors --format hf
  tinyvit convert B_16.npz vit_base.safetensors --format timm
  tinyvit convert vit_base.safetensors vit_base_384.safetensors --format timm --img-size 384

formats:
  timm     .safetensors: timm's names, which are tinyvit's own
  hf       .safetensors: Hugging Face transformers; config.json is written beside it
  google   .npz: google-research/vision_transformer (JAX, flax)
What is in the first file, its content says.
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument("source", metavar="IN", help="a file of weights, or a folder with one")
    parser.add_argument("target", metavar="OUT", help="the file to write")
    parser.add_argument("--format", choices=FORMATS, required=True, help="whose names to write")
    parser.add_argument(
        "--img-size", type=int, metavar="N", help="side of the images; stretches the positions"
    )
    parser.add_argument("--num-heads", type=int, metavar="N", help="where IN does not say it")
    parser.add_argument(
        "--global-pool", choices=("token", "avg"), help="where IN does not say it: token is usual"
    )


def run(args):
    """Read, write, and say what was written; returns the exit status."""
    given = {name: getattr(args, name) for name in ("img_size", "num_heads", "global_pool")}
    overrides = {name: value for name, value in given.items() if value is not None}
    read = open_checkpoint(args.source, **overrides)
    save_checkpoint(args.target, read.params, read.config, format=args.format)
    count = f"{count_params(read.params):,} parameters"
    print(f"{read.path} ({read.format}) -> {args.target} ({args.format}): {count}")
    if isinstance(read.config, ViTConfig):
        print(f"opens with: {FORMATS[args.format].opens_with(Path(args.target), read.config)}")
    return 0
