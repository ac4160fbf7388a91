"""The Wide-ResNet and its training step in PyTorch, channels last: what `training.py` compares with."""

import torch
from torch import nn
from torch.nn import functional


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


def convolution(channels_in, channels, kernel_size, stride=1):
    return nn.Conv2d(channels_in, channels, kernel_size, stride, kernel_size // 2, bias=False)


def widened(x, channels, stride):
    """The shortcut: average pool by the stride, then as many zero channels before as after."""
    missing = (channels - x.shape[1]) // 2
    x = functional.avg_pool2d(x, stride) if stride > 1 else x
    return functional.pad(x, (0, 0, 0, 0, missing, missing)) if missing else x


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


def training_step(recipe, images, labels):
    """A function that trains one step on the batch: clipped to a norm of 5, Nesterov, decay of every parameter."""
    model = WideResNet(**recipe.size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=recipe.weight_decay, nesterov=True)
    images = torch.from_numpy(images).permute(0, 3, 1, 2)  # a view: channels last in memory
    labels = torch.from_numpy(labels)

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step
