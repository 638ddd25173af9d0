"""Writes the files beside it, as other libraries write them; `dataset/other_libraries_tests.rs` of cd-data reads them.

Picture p has the value (p * 31 + at * 7) % 256 at byte `at` of its pixels, row by row, channel last; its label is p % 3. Needs numpy, pyarrow,
scipy and pillow.
"""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image

COUNT = 5


def pictures(side):
    at = np.arange(side * side * 3)
    return np.stack([(p * 31 + at * 7) % 256 for p in range(COUNT)]).astype(np.uint8).reshape(COUNT, side, side, 3)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def parquet(labels, encoded):
    structure = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": picture, "path": None} for picture in encoded], type=structure)
    label = {"names": ["zero", "one", "two"], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "label": label}
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"image": images, "label": pa.array(labels)}).replace_schema_metadata(noted)
    pq.write_table(table, "snappy.parquet", row_group_size=3)
    pq.write_table(table, "zstd.parquet", compression="zstd", data_page_version="2.0", use_dictionary=False)


def main():
    small, labels = pictures(6), np.arange(COUNT) % 3
    encoded = [png(picture) for picture in small]
    parquet(labels, encoded)
    np.savez_compressed("packed.npz", x_train=small.transpose(0, 3, 1, 2), y_train=labels)
    np.savez("plain.npz", images=(small / 255).astype(">f4"), labels=np.eye(3)[labels])
    svhn = {"X": pictures(32).transpose(1, 2, 3, 0), "y": np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]}
    scipy.io.savemat("train_32x32.mat", svhn, do_compression=True)
    with tarfile.open("pax.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for number, (picture, label) in enumerate(zip(encoded, labels)):
            folder = "f" * 120
            for name, content in ((f"{number}.png", picture), (f"{number}.cls", str(label).encode())):
                member = tarfile.TarInfo(f"{folder}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
