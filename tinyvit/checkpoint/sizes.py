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
            tokens = "no class token", "a class token", "a class and a distillation token"
            raise InputError(
                f"the table of positions has {self.rows} rows, expected {first} and a square "
                f"number of patches, for {tokens[first]}"
            )
        return side

    def _mlp_ratio(self):
        ratio = self.hidden_dim / self.embed_dim
        while int(self.embed_dim * ratio) < self.hidden_dim:  # the division was rounded down
            ratio = nextafter(ratio, ratio + 1)
        return ratio


class Found(dict):
    """The tensors of a file under their format's usual names."""

    @classmethod
    def of(cls, pairs):
        """Collect (name, Tensor) pairs. Raises InputError where two tensors have one name."""
        found = cls()
        for name, tensor in pairs:
            if name in found:
                raise InputError(
                    f"{tensor.name} and {found[name].name} are both {name}: which one?"
                )
            found[name] = tensor
        return found

    def sizes(self, name, axes, **known):
        """Read sizes off one tensor.

        axes : what each axis is called, as "P P C D"; axes of one name are of one size, and one
            that is a number is that long
        known : sizes that other tensors have told, as D=768

        Returns dict name of an axis -> its size, `known` among them.
        Raises InputError where it is missing, or has other axes.
        """
        axes = axes.split()
        sizes = {axis: int(axis) for axis in axes if axis.isdecimal()} | known
        expected = f"({', '.join(str(sizes.get(axis, axis)) for axis in axes)})"
        if name not in self:
            raise InputError(f"{name} is missing, expected {expected}")
        shape = self[name].shape
        if len(shape) != len(axes) or any(
            sizes.setdefault(axis, size) != size for axis, size in zip(axes, shape, strict=True)
        ):
            raise InputError(f"{self[name].name} is {shape}, expected {expected}")
        return sizes

    def rows(self, name, embed_dim):
        """Rows of the table of positions, (1, N+1, D); None without a table."""
        return self.sizes(name, "1 N+1 D", D=embed_dim)["N+1"] if name in self else None

    def classes(self, bias, weight, axes):
        """Classes of the head, by its bias (K,), else by its weight; None without a head."""
        if bias in self:
            return self.sizes(bias, "K")["K"]
        return self.sizes(weight, axes)["K"] if weight in self else None


def numbered(pattern, names):
    """How many different numbers a pattern finds in names: the depth of a model.

    Not the largest number: a file may say blocks.999999999 and should not get as many.
    """
    return len({match.group(1) for match in map(pattern.match, names) if match})
