"""The cases that are timed: a model, a batch, and what is done with it."""

from dataclasses import dataclass, replace

from ..config import ViTConfig

TRAIN, PREDICT = "train", "predict"
EPOCH = 60_000  # images: MNIST's


@dataclass(frozen=True)
class Case:
    """One thing to time.

    config : ViTConfig
    batch : images at a time
    work : "train", a whole optimiser step, or "predict"
    precision : "fp32", "tf32" or "bf16", of the matrix products
    """

    config: ViTConfig
    batch: int
    work: str = TRAIN
    precision: str = "fp32"

    @property
    def flop(self):
        """Floating-point operations of one run, 2 for each multiply-add of a matrix product.

        In training the way back is twice the way there. Every token is counted in every block,
        also where a program finds out that it need not be computed.
        """
        return self.batch * forward_flop(self.config) * (3 if self.work == TRAIN else 1)

    @property
    def kept_bytes(self):
        """Bytes of the activations that lie between the way there and the way back."""
        config, N = self.config, self.config.num_tokens
        token = 9 * config.embed_dim + 3 * config.hidden_dim + config.num_heads * N
        return self._number_bytes * self.batch * config.depth * N * token

    @property
    def least_bytes(self):
        """Bytes to and from memory if nothing at all stayed in a cache, each array moved once.

        Weights are read once a pass. In training each gradient is written and read once, AdamW
        reads and writes weights and two moments, these all in float32; activations are written,
        and read on the way back.
        """
        D, M = self.config.embed_dim, self.config.hidden_dim
        weights = self.config.depth * (4 * D * D + 2 * D * M)
        if self.work == PREDICT:
            return self._number_bytes * weights + self.kept_bytes
        return (2 * self._number_bytes + (2 + 6) * 4) * weights + 2 * self.kept_bytes

    @property
    def _number_bytes(self):
        return 2 if self.precision == "bf16" else 4


def forward_flop(config):
    """Floating-point operations of one image's way through a ViT: linear layers, q k.T, attn v."""
    D, N, M = config.embed_dim, config.num_tokens, config.hidden_dim
    patches = config.num_patches * config.in_chans * config.patch_size**2 * D
    block = N * (4 * D * D + 2 * D * M) + 2 * N * N * D
    heads = (1 + config.distilled) * D * config.num_classes
    return 2 * (patches + config.depth * block + heads)


A = ViTConfig.preset("mnist", patch_size=4, embed_dim=64, depth=6, num_heads=4, mlp_ratio=4.0)
B16 = ViTConfig.preset("vit_base_patch16_224")

CASES = {
    "A": Case(A, 128),
    "A128": Case(replace(A, embed_dim=128), 128),
    "mnist": Case(ViTConfig.preset("mnist"), 128),
    "B16-predict-1": Case(B16, 1, PREDICT),
    "B16-predict-8": Case(B16, 8, PREDICT),
    "B16-train-2": Case(B16, 2),
}

GPU_CASES = {
    "A": Case(A, 1024),
    "A128": Case(replace(A, embed_dim=128), 1024),
    "B16-predict-64": Case(B16, 64, PREDICT),
}

# With mean pooling: for the class token alone, the last block would cost next to nothing.
GROWING = replace(A, global_pool="avg")
SCALING = {
    "batch": {size: Case(GROWING, size) for size in (32, 64, 128, 256, 512)},
    "tokens": {
        (size // 4) ** 2 + 1: Case(replace(GROWING, img_size=size), 8)
        for size in (28, 56, 112, 224)
    },
    "depth": {depth: Case(replace(GROWING, depth=depth), 64) for depth in (1, 2, 4, 8, 16)},
}
