"""Weights of torchvision's models through our binary and back.

For each model: PyTorch writes a checkpoint (nested, with a `module.` prefix), `cd-cli models convert` makes
safetensors of it and a plain checkpoint of that, PyTorch loads both again; all values must be bit-equal. Then both sides compute logits of
the same two pictures. Needs torch, torchvision, numpy and safetensors.

    python weights.py target/release/cd-cli
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file

from cd import images

CLASSES = 12
PAIRS = {
    "vit_b_16": "vit_b16",
    "resnet18": "imagenet_resnet18",
    "resnet50": "imagenet_resnet50",
    "efficientnet_b0": "efficientnet_b0",
    "densenet121": "densenet121",
    "densenet161": "densenet161",
    "mobilenet_v2": "imagenet_mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "convnext_tiny": "convnext_tiny",
    "vgg11": "imagenet_vgg11",
    "vgg16_bn": "imagenet_vgg16_bn",
}


def stir(model):
    """Moves everything that starts at zero or one, so that a mix-up would show."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "running_var" in name:
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
            elif value.dtype == torch.float32 and (value.dim() <= 1 or value.abs().max() == 0):
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)


def equal(ours, theirs):
    return set(ours) == set(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def check(binary, theirs, ours, folder):
    torch.manual_seed(0)
    model = getattr(torchvision.models, theirs)(num_classes=CLASSES).eval()
    stir(model)
    state = model.state_dict()
    checkpoint, copy, plain = (folder / f"{theirs}{end}" for end in (".nested.pt", ".safetensors", ".pt"))
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, checkpoint)
    for file, to in ((checkpoint, copy), (copy, plain)):
        subprocess.run([binary, "models", "convert", file, "--to", to], check=True, capture_output=True)
    same = all(equal(state, back) for back in (load_file(copy), torch.load(plain, weights_only=True)))
    with torch.no_grad():
        expected = float(model.double()(images(2, 224, "cpu").double()).abs().sum())
    work = ["--work", "forward", "--images", "2", "--batch-size", "2", "--size", "224"]
    printed = subprocess.run(
        [binary, "bench", "--json", "--model", ours, "--weights", copy, *work],
        check=True,
        capture_output=True,
    )
    sum_of_logits = json.loads(printed.stdout)["checksum"]
    relative = abs(sum_of_logits / expected - 1)
    print(f"{theirs}: bit-equal {same}, sum of |logits| differs by {relative:.1e} (double precision there)")
    return same and relative < 1e-4


def main():
    with tempfile.TemporaryDirectory() as folder:
        results = [check(sys.argv[1], *pair, Path(folder)) for pair in PAIRS.items()]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
