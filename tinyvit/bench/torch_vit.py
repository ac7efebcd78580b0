"""The Vision Transformer as one writes it in PyTorch, with timm's names: what we are timed against.

Imports PyTorch at its top; it is imported where PyTorch is there.
"""

import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention


class Attention(nn.Module):
    """Multi-head self-attention by PyTorch's fused kernel."""

    def __init__(self, config):
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)

    def forward(self, x):
        B, N, D = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, D // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        context = scaled_dot_product_attention(q, k, v)
        return self.proj(context.transpose(1, 2).reshape(B, N, D))


class MLP(nn.Module):
    """Two linear layers with exact GELU between them."""

    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.hidden_dim)
        self.fc2 = nn.Linear(config.hidden_dim, config.embed_dim)

    def forward(self, x):
        return self.fc2(gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm encoder block."""

    def __init__(self, config):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=config.eps)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=config.eps)
        self.mlp = MLP(config)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Patch embedding as a convolution whose stride is its kernel."""

    def __init__(self, config):
        super().__init__()
        P = config.patch_size
        self.proj = nn.Conv2d(config.in_chans, config.embed_dim, P, P)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class TorchViT(nn.Module):
    """The standard ViT: pre-norm, exact GELU, learned positions, class token.

    config : ViTConfig; its variants are not looked at
    """

    def __init__(self, config):
        super().__init__()
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_patches + 1, config.embed_dim))
        self.blocks = nn.Sequential(*[Block(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.embed_dim, eps=config.eps)
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def forward(self, images):
        x = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])

    def load(self, params):
        """Take over parameters: dict of NumPy arrays in timm's names."""
        self.load_state_dict({name: torch.tensor(value) for name, value in params.items()})

    def groups(self, weight_decay):
        """Parameter groups for the optimiser: weight decay on weight matrices only.

        weight_decay : number

        Returns a list of two dicts, as `torch.optim.AdamW` takes it.
        """
        matrices, others = [], []
        for name, value in self.named_parameters():
            is_matrix = name.endswith(".weight") and value.ndim >= 2
            (matrices if is_matrix else others).append(value)
        return [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
