"""Writes vision_transformer.json: logits and class token of a vision transformer, in numpy and f64.

A second implementation from the definition, since the reference has no vision transformer: 32 pixels,
patches of 4, 12 layers of 128 channels with two heads, 10 classes, weights and images by the formula in
models.json under torchvision's names.
"""

import json
import math
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1
WIDTH, HEADS, LAYERS, PATCH, SIDE, CLASSES = 128, 2, 12, 4, 32, 10


def uniform(name, count):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def weight(name, *shape):
    u = uniform(name, math.prod(shape))
    signed = np.float32(2) * u - np.float32(1)
    if len(shape) in (2, 4):
        values = signed * np.float32(math.sqrt(6 / math.prod(shape[1:])))
    elif len(shape) == 1 and name.endswith(".weight"):
        values = np.float32(0.5) + u
    else:
        values = np.float32(0.1) * signed
    return values.reshape(shape).astype(np.float64)


def linear(x, name, outputs, joint="."):
    w = weight(f"{name}{joint}weight", outputs, x.shape[-1])
    return x @ w.T + weight(f"{name}{joint}bias", outputs)


def layer_norm(x, name):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * weight(f"{name}.weight", WIDTH) + weight(f"{name}.bias", WIDTH)


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def attention(x, name):
    q, k, v = np.split(linear(x, f"{name}.in_proj", 3 * WIDTH, "_"), 3, axis=-1)
    outputs = []
    for head in range(HEADS):
        part = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
        scores = q[..., part] @ k[..., part].swapaxes(-1, -2) / math.sqrt(WIDTH // HEADS)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        outputs.append(scores / scores.sum(-1, keepdims=True) @ v[..., part])
    return linear(np.concatenate(outputs, -1), f"{name}.out_proj", WIDTH)


def images():
    blocks = uniform("input", 2 * 3 * (SIDE // 4) ** 2).reshape(2, 3, SIDE // 4, SIDE // 4)
    return blocks.repeat(4, 2).repeat(4, 3).astype(np.float64)


def main():
    x, side = images(), SIDE // PATCH
    patches = x.reshape(2, 3, side, PATCH, side, PATCH).transpose(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(2, side * side, -1)
    kernel = weight("conv_proj.weight", WIDTH, 3, PATCH, PATCH).reshape(WIDTH, -1)
    tokens = patches @ kernel.T + weight("conv_proj.bias", WIDTH)
    first = np.broadcast_to(weight("class_token", 1, 1, WIDTH), (2, 1, WIDTH))
    tokens = np.concatenate([first, tokens], 1)
    tokens = tokens + weight("encoder.pos_embedding", 1, side * side + 1, WIDTH)
    for layer in range(LAYERS):
        name = f"encoder.layers.encoder_layer_{layer}"
        tokens = tokens + attention(layer_norm(tokens, f"{name}.ln_1"), f"{name}.self_attention")
        inner = gelu(linear(layer_norm(tokens, f"{name}.ln_2"), f"{name}.mlp.0", 4 * WIDTH))
        tokens = tokens + linear(inner, f"{name}.mlp.3", WIDTH)
    token = layer_norm(tokens, "encoder.ln")[:, 0]
    logits = linear(token, "heads.head", CLASSES)
    with open(os.path.join(HERE, "vision_transformer.json"), "w") as file:
        json.dump({"logits": logits.ravel().tolist(), "penultimate": token.ravel().tolist()}, file)
        file.write("\n")


if __name__ == "__main__":
    main()
