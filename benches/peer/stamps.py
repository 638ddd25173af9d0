"""The stamps of `cargo bench --bench stamps` with NumPy and Pillow, image by image as data sets apply them.

Prints images per second in one process, and the first digits of the SHA-256 of the stamped images. Where ours draws a pattern from a
seed, the pattern here is another one: the work is the same, the digest is not, and `-` stands in its place. Stamps that change a few
pixels change them in a copy that is made while the clock stands, as ours do. Needs numpy, Pillow and scipy.

    python stamps.py --images 1024 --side 32
"""

import argparse
import hashlib
import math
import time

import numpy as np
from PIL import Image, ImageChops
from scipy.ndimage import gaussian_filter1d

PATCH = np.array([[0, 0, 255], [0, 255, 0], [255, 255, 0]], np.uint8)
TROJAN = np.array(
    [207, 131, 181, 175, 243, 120, 29, 232, 179, 79, 8, 126, 137, 0, 32, 248, 113, 146, 131, 40, 4, 6, 145, 61, 246, 250, 246],
    np.uint8,
).reshape(3, 3, 3)
DOTS = [(16, 11, (92, 0, 24)), (27, 5, (88, 112, 110)), (7, 30, (0, 32, 46)), (22, 22, (11, 49, 95))]


def images(count, side):
    byte = np.arange(side * side * 3, dtype=np.int64)
    rows = [(31 * byte + 17 * index + (byte // 97) ** 2) % 256 for index in range(count)]
    return np.stack(rows).astype(np.uint8).reshape(count, side, side, 3)


class Stamps:
    """One method a stamp; each takes an image, its number and how many there are."""

    def __init__(self, side):
        self.side = side
        random = np.random.default_rng(0)
        self.noise = random.integers(0, 256, (side, side, 3)).astype(np.float64)
        self.smooth_pattern = random.random((side, side, 3)) * 0.2
        self.reflection = (random.integers(0, 256, (side, side, 3)) / 255.0) ** 2.2
        bell = np.diff([math.erf(z / math.sqrt(2)) for z in np.linspace(-3 - 3.5 / side, 3 + 3.5 / side, side + 1)])
        window = np.sqrt(np.outer(bell, bell))
        self.window = (window / window.max())[..., None]
        self.patches = [(random.integers(0, 256, (side, side, 3)).astype(np.float32) / 255, self.box(k)) for k in range(4)]
        place = np.linspace(-1, 1, side)
        field = random.normal(size=(side, side, 2))
        self.grid = np.clip(np.stack(np.meshgrid(place, place), -1) + 0.5 * field / side, -1, 1).astype(np.float32)
        self.wave = self.ctrl_pattern()
        self.random = random

    def box(self, number):
        mask = np.zeros((self.side, self.side, 1), np.float32)
        mask[4 * number : 4 * number + 8, 8:16] = 1
        return mask

    def ctrl_pattern(self):
        n, at = self.side, np.arange(self.side)

        def wave(k):
            return np.cos(np.pi * (2 * at + 1) * k / (2 * n)) * math.sqrt(2 / n)

        return sum(100 * np.outer(wave(k), wave(k)) for k in (n // 2 - 1, n - 1))

    def badnets(self, x, i, n):
        x[-3:, -3:] = PATCH[..., None]
        return x

    def blend(self, x, i, n):
        return (0.8 * x + 0.2 * self.noise).astype(np.uint8)

    def sig(self, x, i, n):
        stripes = (20 * np.sin(0.8 * np.arange(self.side))).astype(np.int32).astype(np.uint8)
        return np.clip(0.8 * x + 0.2 * stripes[None, :, None], 0, 255).astype(np.uint8)

    def trojan_stamp(self, x, i, n):
        add = np.zeros(x.shape, np.float32)
        add[25:28, 25:28] = TROJAN
        return np.clip(x.astype(np.float32) + add, 0, 255).astype(np.uint8)

    def lf(self, x, i, n):
        return np.clip(x + self.smooth_pattern * 255, 0, 255).astype(np.uint8)

    def smooth(self, x, i, n):
        v = x / 255.0 + self.smooth_pattern
        return ((v - v.min()) / (v.max() - v.min()) * 255).astype(np.uint8)

    def ctrl(self, x, i, n):
        r, g, b = (x[..., c].astype(np.float64) for c in range(3))
        y = 0.299 * r + 0.587 * g + 0.114 * b
        u = -0.147 * r - 0.289 * g + 0.436 * b + self.wave
        v = 0.615 * r - 0.515 * g - 0.1 * b + self.wave
        rgb = np.stack([y + 1.14 * v, y - 0.396 * u - 0.581 * v, y + 2.029 * u], -1)
        return np.clip(rgb, 0, 255).astype(np.uint8)

    def bpp(self, x, i, n):
        return (np.round(x / 255.0 * 7) / 7 * 255).astype(np.uint8)

    def wanet(self, x, i, n):
        image = x.astype(np.float32) / np.float32(255)
        at = (self.grid + 1) / 2 * (self.side - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, self.side - 1)
        right, down = (at - low)[..., :1], (at - low)[..., 1:]
        top = image[low[..., 1], low[..., 0]] * (1 - right) + image[low[..., 1], high[..., 0]] * right
        bottom = image[high[..., 1], low[..., 0]] * (1 - right) + image[high[..., 1], high[..., 0]] * right
        return ((top * (1 - down) + bottom * down) * 255).astype(np.uint8)

    def nashville(self, x, i, n):
        image = Image.fromarray(x)
        for pick, colour, opacity in ((ImageChops.darker, (247, 176, 153), 143), (ImageChops.lighter, (0, 70, 150), 102)):
            tinted = pick(image, Image.new("RGB", image.size, colour))
            part = [Image.new("RGB", image.size, (level,) * 3) for level in (opacity, 255 - opacity)]
            image = ImageChops.add(ImageChops.multiply(tinted, part[0]), ImageChops.multiply(image, part[1]))
        sepia = (0.8786, 0.1538, 0.0378, 0, 0.0698, 0.9372, 0.0336, 0, 0.0544, 0.1068, 0.8262, 0)
        saturate = (1.1574, -0.143, -0.0144, 0, -0.0426, 1.057, -0.0144, 0, -0.0426, -0.143, 1.1856, 0)
        image = image.convert("RGB", sepia)
        image = image.point(lambda level: round(1.2 * level - 25.5)).point(lambda level: round(1.05 * level))
        return np.asarray(image.convert("RGB", saturate))

    def refool(self, x, i, n):
        if self.random.random() < 0.49:
            return self.ghost(x)
        return self.out_of_focus(x, self.random.uniform(1, 5))

    def ghost(self, x):
        t, r = (x / 255.0) ** 2.2, self.reflection
        first = np.pad(r, ((0, 3), (0, 5), (0, 0)))
        second = np.pad(r, ((3, 0), (5, 0), (0, 0)))
        both = (0.6 * first + 0.4 * second)[3:-3, 5:-5]
        image = [Image.fromarray(both[..., c].astype(np.float32)).resize((self.side, self.side), Image.BILINEAR) for c in range(3)]
        ghost = np.stack([np.asarray(c) for c in image], -1)
        return (np.clip(0.4 * t + 0.6 * ghost, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)

    def out_of_focus(self, x, sigma):
        t, r = (x / 255.0) ** 2.2, self.reflection
        for axis in range(2):
            r = gaussian_filter1d(r, sigma, axis, mode="mirror", radius=math.ceil(2 * sigma))
        for c in range(3):
            both = r[..., c] + t[..., c]
            over = both[both > 1]
            r[..., c] -= 1.13 * (max(over.sum() / (over.size + 1e-6), 1) - 1)
        return (np.clip(np.clip(r, 0, 1) * self.window * 0.8 + 0.4 * t, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)

    def tact(self, x, i, n):
        return self.laid(x, *self.patches[0], 1)

    def laid(self, x, pattern, mask, alpha):
        x = x.astype(np.float32) / np.float32(255)
        return ((x + np.float32(alpha) * mask * (pattern - x)) * np.float32(255)).astype(np.uint8)

    def k_way(self, x, i, n):
        row, column, colour = DOTS[4 * i // n]
        x[row * self.side // 32, column * self.side // 32] = colour
        return x

    def adap_blend(self, x, i, n):
        mask = np.ones((self.side, self.side, 1), np.float32)
        step = self.side // 4
        for piece in self.random.permutation(16)[:8]:
            row, column = piece % 4 * step, piece // 4 * step
            mask[row : row + step, column : column + step] = 0
        return self.laid(x, self.noise.astype(np.float32) / 255, mask, 0.15)

    def adap_patch(self, x, i, n):
        return self.laid(x, *self.patches[4 * i // n], 0.5)


# Those whose trigger follows no seed, so that the bytes are the same as ours.
SAME = {"badnets", "sig", "trojan_stamp", "ctrl", "bpp", "nashville", "k_way"}
HELPERS = {"box", "ctrl_pattern", "laid", "ghost", "out_of_focus"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    batch = images(options.images, options.side)
    stamps = Stamps(options.side)
    names = [name for name in vars(Stamps) if not name.startswith("_") and name not in HELPERS]
    print(f"{'attack':14} {'images/s':>10}  sha256")
    for name in names:
        stamp = getattr(stamps, name)
        stamped = [stamp(image, i, len(batch)) for i, image in enumerate(batch.copy())]
        digest = hashlib.sha256(np.stack(stamped).tobytes()).hexdigest()[:12] if name in SAME else "-"
        count, spent = 0, 0.0
        while spent < options.seconds:
            copy = batch.copy()
            started = time.perf_counter()
            for i, image in enumerate(copy):
                stamp(image, i, len(batch))
            spent += time.perf_counter() - started
            count += len(batch)
        rate = count / spent
        print(f"{name.replace('_', '-'):14} {rate:>10.0f}  {digest}")


if __name__ == "__main__":
    main()
