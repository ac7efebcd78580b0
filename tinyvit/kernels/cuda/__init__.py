"""The pairs of `ops/` for an NVIDIA card: CUDA C++ in the .cu files, products by cuBLAS.

    logits, cache = tinyvit.vit_forward(images, params, config, ops=tinyvit.kernels.cuda)

Float32 and float64; all arrays are CuPy's. Everything here can be recorded in a CUDA graph. Pairs
that are not named below in a file of their own are the textbook's. `vit` goes further: it fuses
across blocks, and computes in bf16, for the `Trainer`.
"""

from ...ops import (
    conv2d_backward,
    conv2d_forward,
    drop_path_backward,
    drop_path_forward,
    dropout_backward,
    dropout_forward,
    embed_backward,
    embed_forward,
    log_softmax_backward,
    log_softmax_forward,
    maxpool2d_backward,
    maxpool2d_forward,
    patchify_backward,
    patchify_forward,
    relu_backward,
    relu_forward,
)
from .attention import attention_backward, attention_forward
from .block import block_backward, block_forward
from .cross_entropy import cross_entropy_backward, cross_entropy_forward
from .gelu import gelu_backward, gelu_forward
from .layernorm import layernorm_backward, layernorm_forward
from .linear import linear_backward, linear_forward
from .mlp import mlp_backward, mlp_forward
from .softmax import softmax_backward, softmax_forward

__all__ = [
    "attention_backward",
    "attention_forward",
    "block_backward",
    "block_forward",
    "conv2d_backward",
    "conv2d_forward",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "drop_path_backward",
    "drop_path_forward",
    "dropout_backward",
    "dropout_forward",
    "embed_backward",
    "embed_forward",
    "gelu_backward",
    "gelu_forward",
    "layernorm_backward",
    "layernorm_forward",
    "linear_backward",
    "linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "maxpool2d_backward",
    "maxpool2d_forward",
    "mlp_backward",
    "mlp_forward",
    "patchify_backward",
    "patchify_forward",
    "relu_backward",
    "relu_forward",
    "softmax_backward",
    "softmax_forward",
]
