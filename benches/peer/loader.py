"""How fast torchvision reads a folder of pictures, for `cargo run --release --example loader` to compare with.

ImageFolder and DataLoader with two workers: decode, resize to a square (bilinear, antialiased), batches of bytes. Every pass reads all
pictures. Needs torch and torchvision.

    python loader.py FOLDER SIZE [PASSES]
"""

import sys
import time

import PIL
import torch
import torchvision
from PIL import features
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2

BATCH = 64
WORKERS = 2


def main():
    folder, size = sys.argv[1], int(sys.argv[2])
    passes = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    turbo = features.version_feature("libjpeg_turbo")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, libjpeg-turbo {turbo}")
    steps = v2.Compose([
        v2.Resize((size, size), InterpolationMode.BILINEAR, antialias=True),
        v2.PILToTensor(),
    ])
    pictures = ImageFolder(folder, steps)
    for number in range(passes):
        loader = torch.utils.data.DataLoader(
            pictures, batch_size=BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
        )
        batches = iter(loader)
        start, count = time.perf_counter(), 0
        for batch, _ in batches:
            count += len(batch)
        seconds = time.perf_counter() - start
        print(f"pass {number}: {seconds:.2f} s, {count / seconds:.0f} pictures/s")


if __name__ == "__main__":
    main()
