"""Write transforms.npz: what torchvision makes of the cases. Run it where torchvision is installed.

One array of numbers and a table of names, dtypes, shapes and places: small, and quick to read.
"""

import json
from pathlib import Path

import numpy as np
from transform_cases import results

FILE = Path(__file__).with_name("transforms.npz")


def pack(named):
    table, parts = [], {"u": [], "f": []}
    places = {"u": 0, "f": 0}
    for name, array in named:
        if array.dtype.kind == "U":
            table.append([name, str(array)])
            continue
        which = "f" if array.dtype.kind == "f" else "u"
        part = array.astype(np.float32 if which == "f" else np.int64).ravel()
        table.append([name, array.dtype.name, list(array.shape), which, places[which]])
        parts[which].append(part)
        places[which] += part.size
    whole = np.concatenate(parts["u"])
    assert np.abs(whole).max() < 2**15
    return {
        "table": np.array(json.dumps(table)),
        "u": whole.astype(np.int16),
        "f": np.concatenate(parts["f"]),
    }


def unpack(file):
    for name, kind, *rest in json.loads(str(file["table"])):
        if not rest:
            yield name, np.array(kind)
            continue
        shape, which, place = rest
        part = file[which][place : place + int(np.prod(shape))]
        yield name, part.astype(kind).reshape(shape)


if __name__ == "__main__":
    import PIL
    import torch
    import torchvision
    from torchvision import transforms
    from torchvision.transforms import v2

    named = list(results(torch, transforms, v2))
    named.append(("Pillow", np.array(PIL.__version__)))
    named.append(("torchvision", np.array(torchvision.__version__)))
    np.savez_compressed(FILE, **pack(named))
    print(FILE, FILE.stat().st_size, len(named))
