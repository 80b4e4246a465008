"""Files that were damaged, or made to do harm: one clear error, at once, in little memory."""

import copy
import io
import pickle
import pickletools
import random
import struct
import time
import tracemalloc
import zipfile
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.files import archive as archives
from microtorch.files import machine
from microtorch.files.errors import FileError


def example():
    """A small object with all that files hold."""
    base = torch.arange(12.0).reshape(3, 4)
    return OrderedDict(
        weight=nn.Parameter(base), turned=base.T, part=base[1:, ::2], half=torch.ones(3).half(),
        longs=torch.tensor([1, -2**40]), flags=torch.tensor([True, False]), empty=torch.zeros(0, 2),
        group=[{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}, None, True, 2**70, -3, "text"],
        more={1: {2.5, 3}, (1, "a"): b"\x00\xff", "c": 1 + 2j}, size=torch.Size([2, 3]),
        kind=torch.float64, where=torch.device("cpu"),
    )  # fmt: skip


def saved(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer, **options)
    return buffer.getvalue()


def zipped(data, **records):
    """An archive with this data.pkl, and correct checksums."""
    buffer = io.BytesIO()
    writer = archives.Writer(buffer)
    writer.add("data.pkl", data)
    for name, content in {"byteorder": b"little", **records}.items():
        writer.add(name.replace("_", "/"), content)
    writer.close()
    return buffer.getvalue()


def records(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n.removeprefix("archive/") for n in archive.namelist()]
        return {n: archive.read(f"archive/{n}") for n in names}


def load(data, **options):
    return torch.load(io.BytesIO(data), **options)


def check_refused(data, match=None, seconds=2.0, **options):
    began = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=match):
            load(data, **options)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 2**20
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < seconds


# ---- mutants -------------------------------------------------------------------------------------
def mutate(data, chance):
    """The bytes with something changed, at random."""
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at, n = chance.randrange(len(data)), chance.choice([1, 1, 2, 4, 8, 40])
        match chance.randrange(7):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.randrange(256)
            case 2:
                del data[at : at + n]
            case 3:
                data[at:at] = data[at : at + n]
            case 4:
                other = chance.randrange(len(data))
                data[at : at + n] = data[other : other + n]
            case 5:
                data[at:at] = bytes([chance.choice(list(machine.OPCODES))])
            case 6:
                data[at : at + 4] = chance.choice([b"\xff" * 4, b"\x00" * 4, b"\xff\xff\xff\x7f"])
    return bytes(data) or b"\x80"


def mutants(n):
    """Damaged archives, archives with a damaged pickle and right checksums, damaged old files."""
    chance = random.Random(0)
    whole = saved(example())
    parts = records(whole)
    pickled = parts.pop("data.pkl")
    parts = {name.replace("/", "_"): content for name, content in parts.items()}
    old = saved(example(), _use_new_zipfile_serialization=False)
    for i in range(n):
        if i % 4 == 0:
            yield mutate(whole, chance)
        elif i % 4 == 1:
            yield mutate(old, chance)
        else:
            yield zipped(mutate(pickled, chance), **parts)


def test_ten_thousand_mutants():
    slowest, most, refused = 0.0, 0, 0
    for i, data in enumerate(mutants(10_000)):
        measured = i % 64 < 4  # all four kinds; to watch memory takes four times as long
        if measured:
            tracemalloc.start()
        began = time.thread_time()
        try:
            load(data, weights_only=False)
        except FileError:
            refused += 1
        slowest = max(slowest, time.thread_time() - began)
        if measured:
            most = max(most, tracemalloc.get_traced_memory()[1] - 2 * len(data))
            tracemalloc.stop()
    assert slowest < 2.0
    assert most < 2**18
    assert refused > 5000


def test_every_truncation_and_every_flipped_bit_of_the_older_format():
    """It has no checksums: what is noticed is noticed clearly, and nothing else happens."""
    data = saved(example(), _use_new_zipfile_serialization=False)
    for n in range(len(data)):
        with pytest.raises(FileError, match="cannot load"):
            load(data[:n])
    for n in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[n // 8] ^= 1 << n % 8
        if n % 7 == 0:
            try:
                load(bytes(flipped))
            except FileError:
                pass


@pytest.mark.parametrize("weights_only", [True, False])
def test_every_opcode(weights_only):
    """Each is read, or refused as one that no file of data has."""
    known = {ord(op.code) for op in pickletools.opcodes}
    for code in range(256):
        for before in (b"", b"(", b"N", b"]", b"}NN", b"(NN", b"X\1\0\0\0a" * 2):
            for after in (b"", b"\0\0\0\0", b"1\n", b"\xff" * 9):
                data = zipped(b"\x80\x02" + before + bytes([code]) + after + b".")
                try:
                    load(data, weights_only=weights_only)
                except FileError:
                    continue
                assert code in known


# ---- pickles -------------------------------------------------------------------------------------
def text(x):
    return b"X" + struct.pack("<I", len(x)) + x


def numbers(values):
    return b"(" + b"".join(b"I%d\n" % n for n in values) + b"t"


def a_tensor(offset=0, size=(2, 2), stride=(2, 1), numel=4, kind=b"FloatStorage", key=b"0"):
    storage = (
        b"(" + text(b"storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu")
        + b"I%d\ntQ" % numel
    )  # fmt: skip
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I%d\n" % offset + numbers(size)
        + numbers(stride) + b"\x89NtR."
    )  # fmt: skip


MAX, HIGH = b"\xff" * 4, b"\xff\xff\xff\x7f"  # the largest numbers of four bytes
FOUR = np.arange(4, dtype="<f4").tobytes()


def test_the_tensor_that_the_next_tests_damage():
    assert load(zipped(a_tensor(), data_0=FOUR)).tolist() == [[0, 1], [2, 3]]
    assert load(zipped(a_tensor(1, (2, 3), (0, 1)), data_0=FOUR)).tolist() == [[1, 2, 3]] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1}, {"offset": -1}, {"offset": 2**70}, {"size": (2, 3)}, {"size": (3, 2)},
        {"size": (-1, 2)}, {"size": (2**40, 2**40)}, {"size": (2**31, 2**31), "stride": (0, 0)},
        {"size": (2,)}, {"size": (1,) * 70, "stride": (1,) * 70}, {"stride": (-1, 1)},
        {"stride": (3, 1)}, {"stride": (2**62, 1)}, {"numel": 5}, {"numel": 3}, {"numel": 2**60},
        {"numel": -1}, {"kind": b"DoubleStorage"}, {"kind": b"QInt8Storage"}, {"kind": b"Size"},
        {"key": b"1"}, {"key": b"../version"}, {"size": (2**62, 0, 2**62), "stride": (1, 1, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_tensors_outside_their_storage(change):
    check_refused(zipped(a_tensor(**change), data_0=FOUR))


def test_a_storage_of_two_types():
    pair = b"(" + a_tensor()[:-1] + a_tensor(kind=b"IntStorage")[:-1] + b"t."
    check_refused(zipped(pair, data_0=FOUR), "FloatStorage and a IntStorage")


@pytest.mark.parametrize(
    "data",
    [
        b"]" + b"]a" * 0 + b"\x85" * 50_000 + b".", b"]" * 50_000 + b"a" * 49_999 + b".",
        b"}" + b"}" * 20_000 + b"Ns" * 0 + b".", b"(" * 50_000 + b"l" * 50_000 + b".",
        b"(" + text(b"a") * 3 + b"d.", b"(" * 50_000 + b"t" * 50_000 + b".",
    ],
    ids=["tuples", "lists", "left", "marked lists", "odd", "marked tuples"],
)  # fmt: skip
def test_nesting(data):
    try:
        load(zipped(data))  # what is left on the stack does no harm
    except FileError:
        return
    assert data.startswith(b"}}")


@pytest.mark.parametrize("weights_only", [True, False])
def test_bombs_of_references(weights_only):
    """Each list holds the one before twice, so 2**60 lists in 400 bytes."""
    doubled = b"]q\x00" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)
    )
    load(zipped(doubled + b"."), weights_only=weights_only)
    tuples = b")q\x00" + b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) + b"0" for i in range(60)
    )
    check_refused(zipped(tuples + b"}h\x3cNs."), "key")
    size = b"](" + b"K\x01" * 5000 + b"eq\x00ctorch\nSize\nq\x01("
    check_refused(zipped(size + b"h\x01h\x00\x85R" * 5000 + b"t."), "more copied")
    check_refused(zipped(b"ctorch\nSize\n" + tuples + b"h\x3c\x85R."))  # and told in a short text


@pytest.mark.parametrize(
    "data",
    [
        b"X" + MAX, b"\x8d" + MAX * 2, b"\x8e" + MAX + HIGH, b"\x8b" + HIGH, b"\x8b" + MAX,
        b"T" + HIGH, b"\x95" + MAX * 2, b"I" + b"9" * 10_000 + b"\n", b"Nr" + HIGH,
        b"Np99999999999\n", b"j" + HIGH, b"\x96" + MAX * 2, b"V" + b"a" * 10_000,
    ],
    ids=lambda data: data[:1].hex(),
)  # fmt: skip
def test_lengths_that_are_not_there(data):
    check_refused(zipped(b"\x80\x04" + data + b"."))


def colliding(kind):
    prime = 2**61 - 1  # Python's hash of a whole number is its rest
    keys = [1 + i * prime for i in range(20_000)]
    return [(k,) for k in keys] if kind is tuple else keys


@pytest.mark.parametrize("kind", [int, tuple])
def test_keys_that_collide(kind):
    keys = colliding(kind)
    began = time.thread_time()
    with pytest.raises(FileError, match="collide"):
        load(zipped(pickle.dumps(dict.fromkeys([]), 2)[:-1] + items(keys) + b"."))
    assert time.thread_time() - began < 2.0


def items(keys):
    pickled = b"".join(pickle.dumps(k, 2)[2:-1].replace(b"q\x00", b"") + b"N" for k in keys)
    return b"(" + pickled + b"u"


def test_honest_keys_do_not():
    honest = {i: None for i in range(50_000)} | {(i, str(i)): i for i in range(5000)}
    honest |= {0.5 * i: None for i in range(1, 20_001, 2)}
    assert load(saved(honest)) == honest


def test_a_key_twice():
    check_refused(zipped(b"}(" + (text(b"a") + b"N") * 2 + b"u."), "twice")


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n.", b"cposix\nsystem\n.", b"c__builtin__\neval\n(X\1\0\0\0" b"1tR.",
        b"cnumpy.core.multiarray\n_reconstruct\n.", b"cbuiltins\ngetattr\n.", b"(inumpy\nload\n.",
        b"ctorch\nload\n.", b"ctorch.hub\nload\n.", b"ctorch._utils\n_rebuild_sparse_tensor\n)R.",
        b"ccollections\nOrderedDict\n)R}" + text(b"__class__") + b"ctorch\nSize\nsb0cos\nsystem\n.",
        b"X\1\0\0\0aX\1\0\0\0b\x93.", b"ctorch\nTensor\n)R.", b"ctorch\nTensor\n)\x81.",
        b"ctorch._utils\n_rebuild_parameter\n(NNNtR.", b"Q.", b"(tQ.", b"NQ.", text(b"a") + b")R.",
    ],
    ids=lambda data: data[:30].decode("latin1"),
)  # fmt: skip
def test_names_that_are_not_allowed(data):
    check_refused(zipped(data))


@pytest.mark.parametrize("weights_only", [True, False])
def test_arrays_of_numpy_hold_numbers(weights_only):
    for d in ("O8", "V8", "S4", "M8[s]", "f4,f4"):
        data = b"cnumpy\ndtype\n(" + text(d.encode()) + b"tR."
        check_refused(zipped(data), weights_only=weights_only)
    array = np.array([1.0, 2.0])
    whole = records(saved(array))["data.pkl"]
    assert load(zipped(whole), weights_only=False).tolist() == [1, 2]
    check_refused(zipped(whole.replace(b"(K\x02t", b"(K\x03t")), weights_only=False)


# ---- archives ------------------------------------------------------------------------------------
def test_archives_that_lie():
    good = zipped(a_tensor(), data_0=FOUR)
    load(good)
    check_refused(good.replace(FOUR, FOUR[::-1]), "checksum")
    check_refused(good.replace(b"archive/data/0", b"archive/data/7", 1), "another name")
    buffer = io.BytesIO()
    writer = archives.Writer(buffer)
    for name, content in (("data.pkl", a_tensor()), ("data/0", FOUR), ("data/0", FOUR)):
        writer.add(name, content)
    writer.close()
    check_refused(buffer.getvalue(), "twice")


def test_records_in_one_another():
    """A thousand records that are the same bytes would unpack to a thousand times the file."""
    buffer = io.BytesIO()
    writer = archives.Writer(buffer)
    writer.add("data.pkl", b"N.")
    writer.add("data/0", bytes(1000))
    name, checksum, _, start = writer.table[-1]
    writer.add("data/1", bytes(10))
    writer.table[-2] = (name, checksum, 1000 + 80, start)
    writer.close()
    check_refused(buffer.getvalue(), "reaches into the next")


def test_compression():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"]" * 10_000_000)
    check_refused(buffer.getvalue(), "compressed")


def test_other_archives():
    for records, match in (
        ({"a.txt": b""}, "without the record data.pkl"),
        ({"m/data.pkl": b"N.", "m/constants.pkl": b""}, "TorchScript"),
        ({"m/data.pkl": b"N.", "m/byteorder": b"middle"}, "endianness"),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in records.items():
                archive.writestr(name, content)
        check_refused(buffer.getvalue(), match)


# ---- the older format ----------------------------------------------------------------------------
def test_the_older_format_lies():
    data = saved(torch.ones(4), _use_new_zipfile_serialization=False)
    count = b"\4" + bytes(7)
    assert data.count(count) == 1
    check_refused(data.replace(count, b"\5" + bytes(7)), "announced")
    check_refused(data.replace(b"K\4N", b"J\xff\xff\xff\x7fN"), "more elements than it has bytes")
    check_refused(data.replace(b"K\4N", b"K\3N"))
    check_refused(b"", "empty")
    with pytest.raises(EOFError, match="empty"):
        torch.load(io.BytesIO())
    for start in (b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1\n"):
        check_refused(start, "download|pointer")


def test_a_file_behind_another():
    """Several objects in one file, one after the other, as PyTorch reads them."""
    buffer = io.BytesIO()
    for i in range(3):
        torch.save(torch.full((2,), float(i)), buffer, _use_new_zipfile_serialization=False)
    buffer.seek(0)
    assert [torch.load(buffer).tolist() for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]


# ---- copies beside files -------------------------------------------------------------------------
def test_pickle_and_copy():
    p = nn.Parameter(torch.ones(2), requires_grad=False)
    p.tag = "mine"
    for again in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        model = again(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        assert isinstance(model[0].weight, nn.Parameter)
        assert again(p).requires_grad is False
    assert pickle.loads(pickle.dumps(p)).tag == "mine"


def test_a_namespace_is_data():
    data = saved(Namespace(lr=0.1))
    assert load(data, weights_only=False).lr == 0.1
    check_refused(data, "argparse.Namespace was not an allowed global")


def test_names_of_devices():
    where = text(b"cpu:" + b"9" * 5000)
    check_refused(zipped(a_tensor().replace(text(b"cpu"), where), data_0=FOUR), "data location")
    check_refused(zipped(b"ctorch\ndevice\n" + text(b"nowhere") + b"\x85R."), "device")
    check_refused(zipped(b"ctorch\ndevice\n" + where + b"\x85R."))


def test_bombs_of_tensors():
    """A tensor takes five bytes of a pickle and a thousand of memory."""
    function, arguments = b"ctorch._utils\n_rebuild_tensor_v2\nq\1", a_tensor()[33:-2]
    again = function + arguments + b"q\2R" + b"h\1h\2R" * 50
    load(zipped(b"(" + again + b"t.", data_0=FOUR))
    check_refused(zipped(b"(" + again + b"h\1h\2R" * 10_000 + b"t.", data_0=FOUR), "more copied")
    shape = b"](" + b"K\1" * 20_000 + b"eq\1"
    storage = a_tensor().partition(b"Q")[0] + b"Qq\2"
    check_refused(zipped(shape + storage + b"K\0h\1h\1tR.", data_0=FOUR))
