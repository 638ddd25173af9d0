"""Writes architectures.json: logits and input gradients of networks of other libraries, for one picture, in f64.

Weights and pictures are by the formula in models.json, so that no weights are stored; a network of another dialect than ours is
stored with the names and shapes of its parameters. Needs torch, torchvision, timm, transformers and efficientnet-lite-pytorch.

    python make_architectures.py
"""

import json
import math
import os

import numpy as np
import timm.models.convnext
import timm.models.vgg
import timm.models.vision_transformer
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from timm.layers import ClassifierHead
from torch import nn
from torch.nn import functional as F
from torchvision.models import vgg as torchvision_vgg
from transformers import ConvNextConfig, ConvNextForImageClassification, ResNetConfig, ResNetForImageClassification
from transformers import ViTConfig, ViTForImageClassification

from make_vision_transformer import uniform

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = 10
GRADIENTS, STEP = 24, 4703


class WideBlock(nn.Module):
    def __init__(self, entry, out, stride):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(entry), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(entry, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.convShortcut = None if entry == out else nn.Conv2d(entry, out, 1, stride, bias=False)

    def forward(self, x):
        active = F.relu(self.bn1(x))
        skip = x if self.convShortcut is None else self.convShortcut(active)
        return skip + self.conv2(F.relu(self.bn2(self.conv1(active))))


class WideStage(nn.Module):
    def __init__(self, count, entry, out, stride):
        super().__init__()
        blocks = [WideBlock(out if i else entry, out, 1 if i else stride) for i in range(count)]
        self.layer = nn.Sequential(*blocks)


class WideResNet(nn.Module):
    def __init__(self, depth, widening, width):
        super().__init__()
        count, out = (depth - 4) // 6, width * widening
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.block1 = WideStage(count, width, out, 1)
        self.block2 = WideStage(count, out, 2 * out, 2)
        self.block3 = WideStage(count, 2 * out, 4 * out, 2)
        self.bn1, self.fc = nn.BatchNorm2d(4 * out), nn.Linear(4 * out, CLASSES)

    def forward(self, x):
        x = self.conv1(x)
        for stage in (self.block1, self.block2, self.block3):
            x = stage.layer(x)
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class Logits(nn.Module):
    """A network of Hugging Face's, with its own names."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x).logits


def narrow(configuration, width):
    return [part if part == "M" else part * width // 64 for part in configuration]


def vgg(letter, norm, width):
    features = torchvision_vgg.make_layers(narrow(torchvision_vgg.cfgs[letter], width), norm)
    model = torchvision_vgg.VGG(features, CLASSES, init_weights=False)
    hidden, last = 64 * width, 8 * width
    model.classifier[0], model.classifier[3] = nn.Linear(last * 49, hidden), nn.Linear(hidden, hidden)
    model.classifier[6] = nn.Linear(hidden, CLASSES)
    return model


def timm_vgg(width):
    model = timm.models.vgg.VGG(narrow(timm.models.vgg.cfgs["vgg11"], width), CLASSES, norm_layer=nn.BatchNorm2d)
    hidden, last = 64 * width, 8 * width
    model.pre_logits = timm.models.vgg.ConvMlp(last, hidden, 7, act_layer=nn.ReLU)
    model.head = ClassifierHead(hidden, CLASSES)
    return model


def torchvision_model(name):
    return getattr(torchvision.models, name)(num_classes=CLASSES)


def hugging_face_resnet():
    return ResNetForImageClassification(
        ResNetConfig(embedding_size=8, hidden_sizes=[32, 64, 128, 256], depths=[3, 4, 6, 3], num_labels=CLASSES)
    )


def hugging_face_vit():
    return ViTForImageClassification(
        ViTConfig(hidden_size=64, num_attention_heads=1, intermediate_size=256, num_labels=CLASSES)
    )


def hugging_face_convnext():
    return ConvNextForImageClassification(
        ConvNextConfig(hidden_sizes=[8, 16, 32, 64], depths=[3, 3, 9, 3], num_labels=CLASSES)
    )


def timm_vit():
    return timm.models.vision_transformer.VisionTransformer(embed_dim=64, num_heads=1, num_classes=CLASSES)


def timm_convnext():
    return timm.models.convnext.ConvNeXt(depths=(3, 3, 9, 3), dims=(8, 16, 32, 64), num_classes=CLASSES)


def wide(depth, widening, width=16):
    return lambda: WideResNet(depth, widening, width)


# Our name, width where it is not the published one, gain, and the network.
OURS = [
    ("wide_resnet16_1", None, 0.7, wide(16, 1)),
    ("wide_resnet40_2", None, 0.7, wide(40, 2)),
    ("wide_resnet28_10", 4, 0.7, wide(28, 10, 4)),
    ("efficientnet_lite0", None, 0.7, lambda: EfficientNet.from_name("efficientnet-lite0", num_classes=CLASSES)),
    ("densenet121", None, 1.0, lambda: torchvision_model("densenet121")),
    ("densenet161", 24, 1.0, lambda: torchvision.models.DenseNet(12, (6, 12, 36, 24), 24, num_classes=CLASSES)),
    ("mobilenet_v3_small", None, 1.0, lambda: torchvision_model("mobilenet_v3_small")),
    ("mobilenet_v3_large", None, 0.9, lambda: torchvision_model("mobilenet_v3_large")),
    ("imagenet_mobilenet_v2", None, 0.8, lambda: torchvision_model("mobilenet_v2")),
    ("convnext_tiny", None, 1.0, lambda: torchvision_model("convnext_tiny")),
]
for layers, letter in ((11, "A"), (13, "B"), (16, "D"), (19, "E")):
    for end, norm in (("", False), ("_bn", True)):
        OURS.append((f"imagenet_vgg{layers}{end}", 8, 1.0, lambda letter=letter, norm=norm: vgg(letter, norm, 8)))

# Whose names, our name, width, gain, and the network.
OTHERS = [
    ("timm", "imagenet_vgg11_bn", 4, 1.0, lambda: timm_vgg(4)),
    ("timm", "imagenet_mobilenet_v2", 32, 0.8, lambda: timm.create_model("mobilenetv2_100", num_classes=CLASSES)),
    ("timm", "vit_tiny", 64, 1.0, timm_vit),
    ("timm", "convnext_tiny", 8, 1.0, timm_convnext),
    ("Hugging Face", "imagenet_resnet50", 8, 0.7, hugging_face_resnet),
    ("Hugging Face", "vit_tiny", 64, 1.0, hugging_face_vit),
    ("Hugging Face", "convnext_tiny", 8, 1.0, hugging_face_convnext),
]


def recipe(name, shape, gain):
    u = uniform(name, math.prod(shape))
    signed = np.float32(2) * u - np.float32(1)
    if len(shape) in (2, 4):
        bound = (gain if len(shape) == 4 else 1.0) * math.sqrt(6 / math.prod(shape[1:]))
        values = signed * np.float32(bound)
    elif len(shape) == 1 and (name.endswith((".weight", ".running_var"))):
        values = np.float32(0.5) + u
    else:
        values = np.float32(0.1) * signed
    return torch.from_numpy(values.reshape(shape))


def picture(side):
    blocks = uniform("input", 3 * (side // 4) ** 2).reshape(1, 3, side // 4, side // 4)
    return torch.from_numpy(blocks.repeat(4, 2).repeat(4, 3))


def tree(state):
    """Names as a tree, which is much shorter than a list of them."""
    root = {}
    for name, tensor in state.items():
        *parts, leaf = name.split(".")
        node = root
        for part in parts:
            node = node.setdefault(part, {})
        node[leaf] = list(tensor.shape)
    return root


def answers(model, images):
    images.requires_grad_()
    logits = model(images)
    logits.sum().backward()
    return logits, images.grad.flatten()


def measured(make, gain, side, with_names):
    model = make().eval()
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    filled = {name: recipe(name, tuple(tensor.shape), gain) for name, tensor in state.items()}
    model.load_state_dict(filled, strict=False)
    if hasattr(model.config if hasattr(model, "config") else None, "num_labels"):
        model = Logits(model)
    logits, gradient = answers(model.double(), picture(side).double())
    places = torch.arange(GRADIENTS) * STEP % len(gradient)
    entry = {
        "side": side,
        "gain": gain,
        "tensors": len(state),
        "logits": [float(f"{value:.9g}") for value in logits.flatten().tolist()],
        "gradient": [float(f"{value:.9g}") for value in gradient[places].tolist()],
    }
    return entry | ({"names": tree(state)} if with_names else {})


def main():
    ours, others = [], []
    for name, width, gain, make in OURS:
        side = 32 if name.startswith("wide") else 224
        ours.append({"model": name, "width": width} | measured(make, gain, side, False))
        print(name, np.std(ours[-1]["logits"]), np.abs(ours[-1]["logits"]).max(), np.std(ours[-1]["gradient"]))
    for of, name, width, gain, make in OTHERS:
        others.append({"of": of, "model": name, "width": width} | measured(make, gain, 224, True))
        print(of, name, np.std(others[-1]["logits"]), np.std(others[-1]["gradient"]))
    lines = {key: [json.dumps(entry, separators=(",", ":")) for entry in value] for key, value in (("ours", ours), ("others", others))}
    parts = [f'"{key}": [\n' + ",\n".join(value) + "\n]" for key, value in lines.items()]
    with open(os.path.join(HERE, "architectures.json"), "w") as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
