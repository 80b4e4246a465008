"""What PyTorch's files are made of: names of records, of storages and of dtypes.

A file is a zip archive, uncompressed, of the records

    archive/data.pkl            the object as a pickle; a storage in it is a number of a record
    archive/.format_version     "1"
    archive/.storage_alignment  "64": records begin at multiples of it, so that they can be mapped
    archive/byteorder           "little" or "big"
    archive/data/0 ...          the bytes of each storage
    archive/version             "3"

The layout is that of torch/serialization.py and of caffe2/serialize/inline_container.cc (PyTorch
2.13). Before 1.6, PyTorch wrote five pickles one after the other and then the storages (see
sequence.py). Files that microtorch wrote before it knew this format are read by manifest.py.
"""

from __future__ import annotations

from ..arrays import dtypes
from .errors import refused

SIGNATURE = b"PK\x03\x04"
FOLDER = "archive"
ALIGNMENT = 64
VERSION = "3"

# the first two of the five pickles of the older format
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

# the classes of storages in PyTorch's pickles, by the dtype of their elements
STORAGE_NAMES = {
    "bfloat16": "BFloat16Storage",
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
DTYPES = {d.name: d for d in dtypes.ALL}
# dtypes that PyTorch has and a file may name
FOREIGN = frozenset(
    "bfloat16 complex32 complex64 complex128 uint16 uint32 uint64 float8_e4m3fn float8_e4m3fnuz "
    "float8_e5m2 float8_e5m2fnuz float8_e8m0fnu qint8 quint8 qint32 quint4x2 quint2x4".split()
) - set(DTYPES)


def dtype_named(name: str) -> dtypes.dtype:
    """The dtype of that name. Raises FileError for one that only PyTorch has."""
    if name not in DTYPES:
        raise refused(
            f"the file holds tensors of torch.{name}, which microtorch does not have",
            fix="convert them where PyTorch is installed, for example x.float(), and save again",
        )
    return DTYPES[name]
