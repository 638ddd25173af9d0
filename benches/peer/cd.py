"""Cognitive Distillation in PyTorch, for `cargo xtask bench cd` to compare with.

Times one piece of work and prints one JSON object. Weights and images are the same as on our side:
weights from a safetensors file, images by a formula. Needs torch, numpy and safetensors.

    python cd.py --model resnet18 --width 16 --weights w.safetensors --work search --form eager
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

CLASSES = 10


class ResidualBlock(nn.Module):
    def __init__(self, entry, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(entry, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or entry != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(entry, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        entry = width
        for stage in range(4):
            out = width << stage
            first = ResidualBlock(entry, out, 1 if stage == 0 else 2)
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, ResidualBlock(out, out, 1)))
            entry = out
        self.linear = nn.Linear(entry, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.linear(x.mean((2, 3)))


class Vgg16(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers, entry = [], 3
        for count, published in zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512)):
            out = published * width // 64
            for _ in range(count):
                layers += [nn.Conv2d(entry, out, 3, 1, 1), nn.BatchNorm2d(out), nn.ReLU()]
                entry = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(entry, CLASSES)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class InvertedBlock(nn.Module):
    def __init__(self, entry, out, expansion, stride):
        super().__init__()
        inner = entry * expansion
        self.residual = stride == 1
        self.conv1 = nn.Conv2d(entry, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride == 1 and entry != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(entry, out, 1, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return y + self.shortcut(x) if self.residual else y


class MobileNetV2(nn.Module):
    STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        blocks, entry = [], width
        for expansion, published, count, stride in self.STAGES:
            out = published * width // 32
            for number in range(count):
                blocks.append(InvertedBlock(entry, out, expansion, stride if number == 0 else 1))
                entry = out
        self.layers = nn.Sequential(*blocks)
        last = 1280 * width // 32
        self.conv2 = nn.Conv2d(entry, last, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(last)
        self.linear = nn.Linear(last, CLASSES)

    def forward(self, x):
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.linear(x.mean((2, 3)))


MODELS = {"resnet18": ResNet18, "vgg16": Vgg16, "mobilenet_v2": MobileNetV2}


# Of torchvision, by our names; their width is the published one.
TORCHVISION = {
    "efficientnet_b0": "efficientnet_b0",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "convnext_tiny": "convnext_tiny",
    "densenet121": "densenet121",
    "vit_b16": "vit_b_16",
}


def network(name, width):
    if name in MODELS:
        return MODELS[name](width)
    import torchvision

    return getattr(torchvision.models, TORCHVISION[name])(num_classes=CLASSES)


def fold(module):
    """Folds every BatchNorm into the convolution before it."""
    names = list(module._modules)
    for first, second in zip(names, names[1:]):
        conv, norm = module._modules[first], module._modules[second]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module._modules[first] = torch.nn.utils.fuse_conv_bn_eval(conv, norm)
            module._modules[second] = nn.Identity()
    for child in module.children():
        fold(child)
    return module


def images(count, side, device):
    """The pictures of `cd-cli bench`, `[count, 3, side, side]` in [0, 1]."""
    values = (np.arange(count * side * side * 3) % 251).astype(np.float32) / 255
    values = values.reshape(count, side, side, 3).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def total_variation(mask):
    down = (mask[:, :, 1:] - mask[:, :, :-1]).square().sum((1, 2, 3))
    right = (mask[:, :, :, 1:] - mask[:, :, :, :-1]).square().sum((1, 2, 3))
    return (down + right) / mask[0].numel()


def objective(model, autocast):
    """What a search minimises, as a function of the mask's parameters."""

    def loss(theta, x, target, colour):
        mask = (theta.tanh() + 1) / 2
        with autocast():
            output = model(x * mask + (1 - mask) * colour).float()
        distance = (output - target).abs().mean(1)
        return (distance + 0.01 * mask.abs().sum((1, 2, 3)) + total_variation(mask)).mean()

    return loss


def search(model, loss, x, steps, autocast):
    """Masks of one batch by the published settings of CD-L."""
    with torch.no_grad(), autocast():
        target = model(x).float()
    theta = torch.ones(len(x), 1, *x.shape[2:], device=x.device, requires_grad=True)
    adam = torch.optim.Adam([theta], lr=0.1, betas=(0.1, 0.1))
    for _ in range(steps):
        adam.zero_grad()
        colour = torch.rand(len(x), 3, 1, 1, device=x.device)
        loss(theta, x, target, colour).backward()
        adam.step()
    return (theta.detach().tanh() + 1) / 2


def train(loss, sgd, x, steps):
    """Steps of SGD on one batch."""
    labels = torch.arange(len(x), device=x.device) % CLASSES
    for _ in range(steps):
        sgd.zero_grad()
        loss(x, labels).backward()
        sgd.step()


def compiler(form, work):
    """`torch.compile` as the form wants it, for the vectors that the other kernels are capped to."""
    import torch._inductor.config as config

    if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2":
        config.cpp.simdlen = 256
    # Folds constants and packs weights for the kernels; possible only where nothing is differentiated.
    config.freezing = work == "forward"
    mode = "max-autotune-no-cudagraphs" if form == "tuned" else None
    return lambda function: torch.compile(function, mode=mode)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=[*MODELS, *TORCHVISION], default="resnet18")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", choices=("forward", "search", "train"), default="search")
    parser.add_argument("--form", choices=("eager", "folded", "compiled", "tuned"), default="eager")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--again", action="store_true", help="measure once for every line of the input")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    model = network(options.model, options.width)
    model.load_state_dict(load_file(options.weights), strict=False)
    model.to(options.device)
    x = images(options.images, options.size, options.device)
    autocast = contextlib.nullcontext
    if options.work != "train":
        model.eval().requires_grad_(False)
    if options.form != "eager":
        if options.work != "train":
            model = fold(model)
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
        if options.device != "cpu":
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
            autocast = lambda: torch.autocast("cuda", dtype=torch.bfloat16)
    compiled = lambda function: function
    if options.form in ("compiled", "tuned"):
        compiled = compiler(options.form, options.work)
    if options.work == "search":
        loss = compiled(objective(model, autocast))
    elif options.work == "train":
        model.train()
        sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        loss = compiled(lambda x, labels: F.cross_entropy(model(x), labels))
    else:
        model = compiled(model)

    def work(steps):
        for part in x.split(options.batch_size):
            if options.work == "forward":
                with torch.no_grad():
                    model(part)
            elif options.work == "train":
                train(loss, sgd, part, steps)
            else:
                search(model, loss, part, steps, autocast)
        if options.device != "cpu":
            torch.cuda.synchronize()

    with torch.no_grad():
        checksum = 0.0
        if options.work != "train":
            checksum = float(model(x[: options.batch_size]).double().abs().sum())
    def measure():
        started, cpu = time.perf_counter(), time.process_time()
        work(options.steps)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        result = {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "checksum": checksum,
            "version": f"PyTorch {torch.__version__}, Python {platform.python_version()}",
            "threads": torch.get_num_threads(),
            "cpu_level": torch.backends.cpu.get_cpu_capability(),
        }
        if options.device != "cpu":
            result["device_peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
        print(json.dumps(result), flush=True)

    # A second warm-up: a compiler may look again at what it saw once.
    work(1)
    work(1)
    if not options.again:
        measure()
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        measure()


if __name__ == "__main__":
    main()
