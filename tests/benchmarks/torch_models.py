"""The study's three families and their training step in PyTorch, channels last: what `training.py` compares with."""

import torch
from torch import nn
from torch.nn import functional


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


def convolution(channels_in, channels, kernel_size, stride=1):
    return nn.Conv2d(channels_in, channels, kernel_size, stride, kernel_size // 2, bias=False)


def pool_and_pad(x, stride, before, after):
    """Average pool by the stride, then zero channels before and after."""
    x = functional.avg_pool2d(x, stride) if stride > 1 else x
    return functional.pad(x, (0, 0, 0, 0, before, after)) if before + after else x


def widened(x, channels, stride):
    """A Wide-ResNet's shortcut: as many zero channels before as after."""
    missing = (channels - x.shape[1]) // 2
    return pool_and_pad(x, stride, missing, missing)


class Scale(torch.autograd.Function):
    """forward · x; its gradient is backward · dy."""

    @staticmethod
    def forward(ctx, x, forward, backward):
        ctx.save_for_backward(backward)
        return forward * x

    @staticmethod
    def backward(ctx, dy):
        return ctx.saved_tensors[0] * dy, None, None


class WideBlock(nn.Module):
    """BN-ReLU-conv3×3(stride)-BN-ReLU-conv3×3, plus the shortcut."""

    def __init__(self, channels_in, channels, stride, first):
        super().__init__()
        self.channels, self.stride, self.first = channels, stride, first
        self.norm1, self.norm2 = batch_norm(channels_in), batch_norm(channels)
        self.conv1, self.conv2 = convolution(channels_in, channels, 3, stride), convolution(channels, channels, 3)

    def forward(self, x):
        y = functional.relu(self.norm1(x))
        start = y if self.first else x
        y = self.conv2(functional.relu(self.norm2(self.conv1(y))))
        return y + widened(start, self.channels, self.stride)


class WideResNet(nn.Module):
    """The same operations as `autoaug.models.wide_resnet`."""

    def __init__(self, depth=28, widen_factor=10):
        super().__init__()
        self.stem, self.groups, channels_in = convolution(3, 16, 3), nn.ModuleList(), 16
        for index, stride in enumerate((1, 2, 2)):
            channels, group = 16 * widen_factor * 2**index, nn.ModuleList()
            for block in range((depth - 4) // 6):
                group.append(WideBlock(channels_in, channels, stride if block == 0 else 1, index == block == 0))
                channels_in = channels
            self.groups.append(group)
        self.norm, self.dense = batch_norm(channels_in), nn.Linear(channels_in, 10)

    def forward(self, x):
        x = stem = self.stem(x)
        for group, stride in zip(self.groups, (1, 2, 2), strict=True):
            start = x
            for block in group:
                x = block(x)
            x = x + widened(start, x.shape[1], stride)
        x = x + widened(stem, x.shape[1], 4)
        return self.dense(functional.relu(self.norm(x)).mean((2, 3)))


class ShakeBlock(nn.Module):
    """Two branches ReLU-conv3×3(stride)-BN-ReLU-conv3×3-BN, shaken, plus the shortcut."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.stride = stride
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), convolution(channels_in, channels, 3, stride), batch_norm(channels),
                nn.ReLU(), convolution(channels, channels, 3), batch_norm(channels),
            )
            for _ in range(2)
        )  # fmt: skip
        if channels_in != channels:
            self.paths = nn.ModuleList(convolution(channels_in, channels // 2, 1) for _ in range(2))
            self.path_norm = batch_norm(channels)

    def forward(self, x):
        first, second = (branch(x) for branch in self.branches)
        u = torch.rand(4, len(x), 1, 1, 1)
        forward, backward = u[0] / (u[0] + u[1]), u[2] / (u[2] + u[3])
        y = Scale.apply(first, forward, backward) + Scale.apply(second, 1 - forward, 1 - backward)
        if not hasattr(self, "paths"):
            return y + x
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        steps = slice(None, None, self.stride)
        parts = [path(part[:, :, steps, steps]) for path, part in zip(self.paths, (x, shifted), strict=True)]
        return y + self.path_norm(torch.cat(parts, 1))


class ShakeShake(nn.Module):
    """The same operations as `autoaug.models.shake_shake`."""

    def __init__(self, depth=26, widen_factor=2):
        super().__init__()
        layers, channels_in = [convolution(3, 16, 3), batch_norm(16)], 16
        for index, stride in enumerate((1, 2, 2)):
            for block in range((depth - 2) // 6):
                layers.append(ShakeBlock(channels_in, 16 * widen_factor * 2**index, stride if block == 0 else 1))
                channels_in = 16 * widen_factor * 2**index
        self.layers, self.dense = nn.Sequential(*layers), nn.Linear(channels_in, 10)

    def forward(self, x):
        return self.dense(functional.relu(self.layers(x)).mean((2, 3)))


class Bottleneck(nn.Module):
    """BN-conv1×1-BN-ReLU-conv3×3(stride)-BN-ReLU-conv1×1-BN, ShakeDrop, plus the shortcut."""

    def __init__(self, channels_in, channels, stride, survival):
        super().__init__()
        self.stride, self.survival, self.missing = stride, survival, 4 * channels - channels_in
        self.residual = nn.Sequential(
            batch_norm(channels_in), convolution(channels_in, channels, 1),
            batch_norm(channels), nn.ReLU(), convolution(channels, channels, 3, stride),
            batch_norm(channels), nn.ReLU(), convolution(channels, 4 * channels, 1), batch_norm(4 * channels),
        )  # fmt: skip

    def forward(self, x):
        b, u, beta = torch.rand(3, len(x), 1, 1, 1)
        b, alpha = (b < self.survival).float(), 2 * u - 1
        y = Scale.apply(self.residual(x), b + alpha - b * alpha, b + beta - b * beta)
        return y + pool_and_pad(x, self.stride, 0, self.missing)


class PyramidNet(nn.Module):
    """The same operations as `autoaug.models.pyramid_net`."""

    def __init__(self, depth=272, alpha=200):
        super().__init__()
        layers, channels_in, total = [convolution(3, 16, 3), batch_norm(16)], 16, (depth - 2) // 3
        for index in range(total):
            channels = int(16 + alpha * (index + 1) / total + 0.5)
            stride = 2 if index and index % (total // 3) == 0 else 1
            layers.append(Bottleneck(channels_in, channels, stride, 1 - 0.5 * (index + 1) / total))
            channels_in = 4 * channels
        self.layers = nn.Sequential(*layers, batch_norm(channels_in), nn.ReLU())
        self.dense = nn.Linear(channels_in, 10)

    def forward(self, x):
        return self.dense(self.layers(x).mean((2, 3)))


def build(name, size):
    """The PyTorch model by the study's name of it, and the arguments of its builder."""
    if name == "wrn":
        return WideResNet(**size)
    if name == "pyramid_net":
        return PyramidNet(**size)
    widen_factor = {"shake_shake_32": 2, "shake_shake_96": 6, "shake_shake_112": 7}[name]
    return ShakeShake(**{"widen_factor": widen_factor} | size)


def training_step(name, size, weight_decay, images, labels):
    """A function that trains one step on the batch: clipped to a norm of 5, Nesterov, decay of every parameter."""
    model = build(name, size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=weight_decay, nesterov=True)
    images = torch.from_numpy(images).permute(0, 3, 1, 2)  # a view: channels last in memory
    labels = torch.from_numpy(labels)

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step
