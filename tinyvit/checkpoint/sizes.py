"""What the shapes of a file's tensors say of the model, whatever their names."""

from dataclasses import dataclass
from math import isqrt, nextafter

from ..errors import InputError

DEEPEST = 1000  # blocks; a file that says more is damaged, and should not get the memory for them


@dataclass(frozen=True)
class Sizes:
    """What can be read off a file of weights alone.

    embed_dim, in_chans, patch_size, depth, class_token, distilled, qkv_bias : as in ViTConfig
    hidden_dim : M, width of the MLP
    rows : of the table of positions; None where there is no table
    num_classes : K; None where there is no head
    num_heads : None where the shapes do not say
    """

    embed_dim: int
    in_chans: int
    patch_size: int
    hidden_dim: int
    depth: int
    rows: int | None
    num_classes: int | None
    class_token: bool
    distilled: bool
    qkv_bias: bool
    num_heads: int | None = None

    def fields(self):
        """What these sizes say of a ViTConfig's fields: dict name -> value.

        Raises InputError where the rows of positions are no square of patches.
        """
        same = ("embed_dim", "in_chans", "patch_size", "depth", "class_token", "distilled")
        fields = {name: getattr(self, name) for name in (*same, "qkv_bias")}
        fields["mlp_ratio"] = self._mlp_ratio()
        if not self.class_token:
            fields["global_pool"] = "avg"
        if self.num_classes is not None:
            fields["num_classes"] = self.num_classes
        if self.num_heads is not None:
            fields["num_heads"] = self.num_heads
        if self.rows is not None:
            fields["img_size"] = self._side() * self.patch_size
        return fields

    def _side(self):
        first = self.class_token + self.distilled
        side = isqrt(max(self.rows - first, 0))
        if side * side != self.rows - first or side == 0:
            raise InputError(
                f"the table of positions has {self.rows} rows, expected {first} and a square "
                f"number, as {first} + 14*14 = {first + 196}"
            )
        return side

    def _mlp_ratio(self):
        ratio = self.hidden_dim / self.embed_dim
        while int(self.embed_dim * ratio) < self.hidden_dim:  # the division was rounded down
            ratio = nextafter(ratio, ratio + 1)
        return ratio


class Found(dict):
    """The tensors of a file under their format's usual names."""

    def shape(self, name, meaning):
        """Shape of one tensor.

        meaning : its axes in words, as "(D, C, P, P)"

        Raises InputError where it is missing, or has another number of axes.
        """
        if name not in self:
            raise InputError(f"{name} is missing, expected {meaning}")
        shape = self[name].shape
        if len(shape) != meaning.count(",") + 1 or 0 in shape:
            raise InputError(f"{self[name].name} is {shape}, expected {meaning}")
        return shape


def numbered(pattern, names):
    """How many different numbers a pattern finds in names: the depth of a model.

    Not the largest number: a file may say blocks.999999999 and should not get as many.
    """
    return len({match.group(1) for match in map(pattern.match, names) if match})
