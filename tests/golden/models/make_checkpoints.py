"""Writes small files in the format of torch.save, without PyTorch.

nested_module.pt: a ResNet-10 of width 1 with 2 classes as DataParallel trains it, under torchvision's
names, nested under "state_dict" beside an epoch and an optimiser's state. Value i of the file's n-th
tensor is ((7 n + i) mod 64) / 64 + 0.5.

hostile_view.pt: one tensor of 2^31 values that is a view of a single one.

hostile_code.pt: a state dict whose loading would run a command in Python.
"""

import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))

torch = types.ModuleType("torch")
utils = types.ModuleType("torch._utils")


class FloatStorage:
    pass


class LongStorage:
    pass


def _rebuild_tensor_v2(*arguments):
    raise NotImplementedError


for holder, item in ((torch, FloatStorage), (torch, LongStorage), (utils, _rebuild_tensor_v2)):
    item.__module__ = holder.__name__
    setattr(holder, item.__name__, item)
torch._utils = utils
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils


class Storage:
    def __init__(self, kind, key, data, count):
        self.kind, self.key, self.data, self.count = kind, key, data, count


class Tensor:
    def __init__(self, storage, shape, stride):
        self.storage, self.shape, self.stride = storage, shape, stride

    def __reduce__(self):
        arguments = (self.storage, 0, self.shape, self.stride, False, collections.OrderedDict())
        return _rebuild_tensor_v2, arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        if isinstance(item, Storage):
            return ("storage", item.kind, item.key, "cpu", item.count)
        return None


def save(name, contents, storages):
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(contents)
    with zipfile.ZipFile(os.path.join(HERE, name), "w", zipfile.ZIP_STORED) as archive:
        def add(path, data):
            archive.writestr(zipfile.ZipInfo("archive/" + path, (2024, 1, 1, 0, 0, 0)), data)

        add("data.pkl", buffer.getvalue())
        add("byteorder", b"little")
        for storage in storages:
            add("data/" + storage.key, storage.data)
        add("version", b"3\n")


def resnet10():
    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{part}", (channels,)
        yield f"{name}.num_batches_tracked", ()

    yield "conv1.weight", (1, 3, 3, 3)
    yield from norm("bn1", 1)
    for stage in range(4):
        out = 1 << stage
        entry = max(1, out // 2)
        block = f"layer{stage + 1}.0"
        yield f"{block}.conv1.weight", (out, entry, 3, 3)
        yield from norm(f"{block}.bn1", out)
        yield f"{block}.conv2.weight", (out, out, 3, 3)
        yield from norm(f"{block}.bn2", out)
        if stage:
            yield f"{block}.downsample.0.weight", (out, entry, 1, 1)
            yield from norm(f"{block}.downsample.1", out)
    yield "fc.weight", (2, 8)
    yield "fc.bias", (2,)


def strides(shape):
    out, step = [], 1
    for extent in reversed(shape):
        out.insert(0, step)
        step *= extent
    return tuple(out)


def main():
    state, storages = collections.OrderedDict(), []
    floats = 0
    for name, shape in resnet10():
        count = 1
        for extent in shape:
            count *= extent
        if shape:
            values = [((7 * floats + i) % 64) / 64 + 0.5 for i in range(count)]
            storage = Storage(FloatStorage, str(len(storages)), struct.pack(f"<{count}f", *values), count)
            floats += 1
        else:
            storage = Storage(LongStorage, str(len(storages)), struct.pack("<q", 9), 1)
        storages.append(storage)
        state["module." + name] = Tensor(storage, shape, strides(shape))
    momentum = storages[0]
    optimizer = {"state": {0: {"momentum_buffer": Tensor(momentum, (27,), (1,))}}}
    save("nested_module.pt", {"epoch": 9, "state_dict": state, "optimizer": optimizer}, storages)

    single = Storage(FloatStorage, "0", struct.pack("<f", 1.0), 1)
    view = {"conv1.weight": Tensor(single, (1 << 31,), (0,))}
    save("hostile_view.pt", view, [single])

    class Command:
        def __reduce__(self):
            return os.system, ("touch hostile-code-ran",)

    save("hostile_code.pt", {"conv1.weight": Command()}, [])


main()
