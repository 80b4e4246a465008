"""Datasets of photographs: fetched from a server of our own, checked, unpacked and read."""

import bz2
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
sio = pytest.importorskip("scipy.io")

from test_download import md5, server  # noqa: E402, F401

from microtorch.vision import datasets, transforms  # noqa: E402
from microtorch.vision.datasets import celeba, photographs, voc  # noqa: E402


def picture(value, kind="JPEG", size=(6, 4), mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size, value if mode != "RGB" else (value, 0, 0)).save(file, kind)
    return file.getvalue()


def tar(files, mode="w"):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def zipped(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def matlab(**arrays):
    file = io.BytesIO()
    sio.savemat(file, arrays)
    return file.getvalue()


@pytest.fixture
def put(server, monkeypatch):  # noqa: F811
    """Put a file on the server; returns (address, MD5)."""

    def put(name, data):
        server.files[name] = data
        return server.url + name, md5(data)

    return put


def red(image):
    return image.getpixel((0, 0))[0]


def test_food(put, tmp_path, monkeypatch):
    files = {f"food-101/images/{k}/{i}.jpg": picture(i) for k in ("pie", "egg") for i in (10, 90)}
    meta = {"pie": ["pie/10"], "egg": ["egg/90"]}
    files |= {"food-101/meta/train.json": json.dumps(meta), "food-101/meta/test.json": "{}"}
    url, digest = put("food.tar.gz", tar(files, "w:gz"))
    monkeypatch.setattr(datasets.Food101, "_URL", url)
    with pytest.raises(RuntimeError, match="You can use download=True"):
        datasets.Food101(tmp_path)
    with pytest.raises(RuntimeError, match="does not have the MD5 checksum"):
        datasets.Food101(tmp_path, download=True)
    monkeypatch.setattr(datasets.Food101, "_MD5", digest)
    data = datasets.Food101(tmp_path, download=True, transform=transforms.ToTensor())
    assert data.classes == ["egg", "pie"] and len(data) == 2 and "split=train" in repr(data)
    image, label = data[0]
    assert image.shape == (3, 4, 6) and label == 1 and abs(image[0, 0, 0] * 255 - 10) < 3


def test_flowers(put, server, tmp_path, monkeypatch):  # noqa: F811
    archive = tar({f"jpg/image_{i:05d}.jpg": picture(20 * i) for i in (1, 2, 3)}, "w:gz")
    labels = matlab(labels=np.array([[5, 6, 7]]))
    lists = matlab(trnid=np.array([[1, 3]]), valid=np.array([[2]]), tstid=np.array([[2]]))
    files = [("102flowers.tgz", archive), ("imagelabels.mat", labels), ("setid.mat", lists)]
    named = tuple((name, put(name, data)[1]) for name, data in files)
    monkeypatch.setattr(datasets.Flowers102, "_URL", server.url)
    monkeypatch.setattr(datasets.Flowers102, "_FILES", named)
    data = datasets.Flowers102(tmp_path, download=True, target_transform=lambda label: -label)
    assert [label for _, label in data] == [-4, -6] and abs(red(data[1][0]) - 60) < 3
    # a list of one number is a list
    assert len(datasets.Flowers102(tmp_path, "val")) == 1


def test_pets(put, tmp_path, monkeypatch):
    names = {"Great_Dane_7": "2 2 1", "Sphynx_3": "1 1 2"}
    pictures = {f"images/{name}.jpg": picture(40) for name in names}
    outlines = {f"annotations/trimaps/{n}.png": picture(3, "PNG", mode="L") for n in names}
    lists = "\n".join(f"{name} {numbers}" for name, numbers in names.items()) + "\n"
    outlines["annotations/trainval.txt"] = lists
    resources = (put("i.tar.gz", tar(pictures, "w:gz")), put("a.tar.gz", tar(outlines, "w:gz")))
    monkeypatch.setattr(datasets.OxfordIIITPet, "_RESOURCES", resources)
    kinds = ["category", "binary-category", "segmentation"]
    data = datasets.OxfordIIITPet(tmp_path, target_types=kinds, download=True)
    assert data.classes == ["Sphynx", "Great Dane"] and data.bin_classes == ["Cat", "Dog"]
    label, binary, outline = data[0][1]
    assert (label, binary) == (1, 1) and outline.getpixel((0, 0)) == 3
    assert datasets.OxfordIIITPet(tmp_path)[1][1] == 0
    assert datasets.OxfordIIITPet(tmp_path, transforms=lambda x, y: (1, 2))[0] == (1, 2)
    with pytest.raises(ValueError, match="Unknown value 'breed'"):
        datasets.OxfordIIITPet(tmp_path, target_types="breed")


def test_caltech(put, tmp_path, monkeypatch):
    top = "101_ObjectCategories"
    files = {f"{top}/{k}/image_0001.jpg": picture(9) for k in ("Faces", "ant", "BACKGROUND_Google")}
    inner = {
        "caltech-101/101.tar.gz": tar(files, "w:gz"),
        "caltech-101/Annotations.tar": b"",
    }
    url, digest = put("caltech-101.zip", zipped(inner))
    monkeypatch.setattr(datasets.Caltech101, "_URL", url)
    monkeypatch.setattr(datasets.Caltech101, "_MD5", digest)
    data = datasets.Caltech101(tmp_path, download=True)
    assert data.categories == ["Faces", "ant"] and [y for _, y in data] == [0, 1]
    folder = tmp_path / "caltech101/Annotations/Faces_2"
    folder.mkdir(parents=True)
    (folder / "annotation_0001.mat").write_bytes(matlab(obj_contour=np.ones((2, 3))))
    both = datasets.Caltech101(tmp_path, ("category", "annotation"))
    label, outline = both[0][1]
    assert label == 0 and outline.shape == (2, 3)
    assert not (tmp_path / "caltech101/caltech-101.zip").exists()


def test_signs_textures_and_fields(put, server, tmp_path, monkeypatch):  # noqa: F811
    signs = zipped({"GTSRB/Training/00007/1.ppm": picture(70, "PPM")})
    tests = zipped({"GTSRB/Final_Test/Images/00000.ppm": picture(50, "PPM")})
    table = zipped({"GT-final_test.csv": "Filename;Width;ClassId\n00000.ppm;6;11\n"})
    archives = {
        "train": [("train.zip", put("train.zip", signs)[1])],
        "test": [("test.zip", put("test.zip", tests)[1]), ("gt.zip", put("gt.zip", table)[1])],
    }
    monkeypatch.setattr(datasets.GTSRB, "_SERVER", server.url)
    monkeypatch.setattr(datasets.GTSRB, "_ARCHIVES", archives)
    train = datasets.GTSRB(tmp_path, download=True)
    test = datasets.GTSRB(tmp_path, "test", download=True)
    assert (red(train[0][0]), train[0][1], red(test[0][0]), test[0][1]) == (70, 0, 50, 11)

    files = {"dtd/labels/val2.txt": "zigzag/a.jpg\nbanded/b.jpg\n"}
    files |= {"dtd/images/zigzag/a.jpg": picture(1), "dtd/images/banded/b.jpg": picture(2)}
    url, digest = put("dtd.tar.gz", tar(files, "w:gz"))
    monkeypatch.setattr(datasets.DTD, "_URL", url)
    monkeypatch.setattr(datasets.DTD, "_MD5", digest)
    textures = datasets.DTD(tmp_path, "val", 2, download=True)
    assert textures.classes == ["banded", "zigzag"] and [y for _, y in textures] == [1, 0]
    with pytest.raises(ValueError, match="1 <= partition <= 10"):
        datasets.DTD(tmp_path, partition=11)

    url, digest = put("sat.zip", zipped({"2750/River/1.jpg": picture(5), "2750/Lake/1.jpg": b""}))
    monkeypatch.setattr(datasets.EuroSAT, "_URL", url)
    monkeypatch.setattr(datasets.EuroSAT, "_MD5", digest)
    fields = datasets.EuroSAT(tmp_path, download=True)
    assert fields.classes == ["Lake", "River"] and fields[1][1] == 1


XML = """<annotation><size><width>6</width></size>
<object><name>dog</name><bndbox><xmin>1</xmin></bndbox><part><name>head</name></part>
<part><name>foot</name></part></object></annotation>"""


def test_voc(put, server, tmp_path, monkeypatch):  # noqa: F811
    base = "VOCdevkit/VOC2007"
    files = {
        f"{base}/ImageSets/Segmentation/val.txt": "000001\n",
        f"{base}/ImageSets/Main/val.txt": "000001\n",
        f"{base}/JPEGImages/000001.jpg": picture(30),
        f"{base}/SegmentationClass/000001.png": picture(12, "PNG", mode="L"),
        f"{base}/Annotations/000001.xml": XML,
    }
    _, digest = put("voc.tar", tar(files))
    monkeypatch.setattr(voc, "SERVER", server.url)
    monkeypatch.setitem(voc.ARCHIVES, "2007", ("voc.tar", digest))
    data = datasets.VOCSegmentation(tmp_path, "2007", "val", download=True)
    image, mask = data[0]
    assert image.size == mask.size == (6, 4) and mask.getpixel((0, 0)) == 12
    assert data.masks[0].endswith("000001.png")
    boxes = datasets.VOCDetection(tmp_path, "2007", "val", transform=transforms.ToTensor())
    image, target = boxes[0]
    found = target["annotation"]
    assert image.shape == (3, 4, 6) and found["size"] == {"width": "6"}
    assert found["object"][0]["bndbox"] == {"xmin": "1"}
    assert [part["name"] for part in found["object"][0]["part"]] == ["head", "foot"]
    with pytest.raises(ValueError, match="Unknown value 'test'"):
        datasets.VOCDetection(tmp_path, "2012", "test")


def test_celeba(put, tmp_path, monkeypatch):
    names = ["000001.jpg", "000002.jpg", "000003.jpg"]
    files = {
        "img_align_celeba.zip": zipped({f"img_align_celeba/{n}": picture(80) for n in names}),
        "list_eval_partition.txt": "".join(f"{n} {i % 2}\n" for i, n in enumerate(names)),
        "identity_CelebA.txt": "".join(f"{n} {7 + i}\n" for i, n in enumerate(names)),
        "list_bbox_celeba.txt": "3\nimage_id x y\n" + "".join(f"{n}  1 2\n" for n in names),
        "list_landmarks_align_celeba.txt": "3\na b\n" + "".join(f"{n} 3 4\n" for n in names),
        "list_attr_celeba.txt": "3\nBald Young \n" + "".join(f"{n} -1  1\n" for n in names),
    }  # fmt: skip
    addresses = {name: put(name, data if isinstance(data, bytes) else data.encode())
                 for name, data in files.items()}  # fmt: skip
    listed = [(name, digest, name) for name, (_, digest) in addresses.items()]
    monkeypatch.setattr(datasets.CelebA, "file_list", listed)

    def fetch(number, root, name, digest):
        photographs.download_url(addresses[number][0], root, name, digest)

    monkeypatch.setattr(celeba, "download_file_from_google_drive", fetch)
    data = datasets.CelebA(tmp_path, download=True)
    assert len(data) == 2 and data.attr_names == ["Bald", "Young"]
    assert data[1][1].tolist() == [0, 1] and abs(red(data[1][0]) - 80) < 3
    kinds = ["identity", "bbox", "landmarks"]
    identity, box, places = datasets.CelebA(tmp_path, "all", kinds)[2][1]
    assert (identity.item(), box.tolist(), places.tolist()) == (9, [1, 2], [3, 4])
    assert datasets.CelebA(tmp_path, "valid", [])[0][1] is None
    assert "Target type: ['attr']" in repr(data)


def test_stl10(put, tmp_path, monkeypatch):
    counts, files, lists = {"train": 3, "test": 2, "unlabeled": 2}, {}, {}
    for part, count in counts.items():
        images = np.zeros((count, 3, 96, 96), np.uint8)
        images[:, 0, 5, 2] = np.arange(count) + 1  # the file holds columns
        lists[f"{part}_X.bin"] = images.tobytes()
        lists[f"{part}_y.bin"] = bytes(range(1, count + 1))
    del lists["unlabeled_y.bin"]
    files = {f"stl10_binary/{name}": data for name, data in lists.items()}
    files |= {"stl10_binary/fold_indices.txt": "2 0 \n" * 10,
              "stl10_binary/class_names.txt": "airplane\nbird\n"}  # fmt: skip
    url, digest = put("stl10_binary.tar.gz", tar(files, "w:gz"))
    for name, value in (("url", url), ("tgz_md5", digest)):
        monkeypatch.setattr(datasets.STL10, name, value)
    sums = [[name, md5(data)] for name, data in lists.items()]
    monkeypatch.setattr(datasets.STL10, "train_list", sums)
    monkeypatch.setattr(datasets.STL10, "test_list", [])
    train = datasets.STL10(tmp_path, download=True, transform=transforms.ToTensor())
    assert train.data.shape == (3, 3, 96, 96) and train.classes == ["airplane", "bird"]
    assert train[1][0][0, 2, 5] * 255 == 2 and train[2][1] == 2
    assert [y for _, y in datasets.STL10(tmp_path, folds=4)] == [2, 0]
    both = datasets.STL10(tmp_path, "train+unlabeled")
    assert both.labels.tolist() == [0, 1, 2, -1, -1]
    with pytest.raises(ValueError, match=r"in the range \[0, 10\)"):
        datasets.STL10(tmp_path, folds=10)


def test_omniglot(put, server, tmp_path, monkeypatch):  # noqa: F811
    files = {f"images_background/Greek/character0{c}/{i}.png": picture(c, "PNG", mode="1")
             for c in (1, 2) for i in (1, 2)}  # fmt: skip
    _, digest = put("images_background.zip", zipped(files))
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", server.url.rstrip("/"))
    monkeypatch.setattr(datasets.Omniglot, "zips_md5", {"images_background": digest})
    data = datasets.Omniglot(tmp_path, download=True, transform=transforms.ToTensor())
    assert len(data) == 4 and data[0][0].shape == (1, 4, 6)
    assert sorted(label for _, label in data) == [0, 0, 1, 1]


def test_coco(tmp_path):
    (tmp_path / "b.jpg").write_bytes(picture(200))
    (tmp_path / "a.jpg").write_bytes(picture(100))
    box = {"image_id": 7, "bbox": [1, 1, 2, 3], "category_id": 3, "caption": "red"}
    told = {
        "images": [{"id": 9, "file_name": "b.jpg"}, {"id": 7, "file_name": "a.jpg"}],
        "annotations": [box, {**box, "caption": "dark"}],
        "categories": [{"id": 3, "name": "square"}],
    }
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(told))
    data = datasets.CocoDetection(tmp_path, str(file), transform=transforms.ToTensor())
    image, target = data[0]
    assert data.ids == [7, 9] and image.shape == (3, 4, 6) and data[1][1] == []
    assert [t["bbox"] for t in target] == [[1, 1, 2, 3]] * 2 and data.categories == {3: "square"}
    both = datasets.CocoCaptions(tmp_path, str(file), transforms=lambda x, y: (x.size, y))
    assert both[0] == ((6, 4), ["red", "dark"]) and len(both) == 2
    file.write_text("[]")
    with pytest.raises(ValueError, match="no file of annotations"):
        datasets.CocoDetection(tmp_path, str(file))


def test_digits_in_text(tmp_path, monkeypatch, server):  # noqa: F811
    rows = [["3", *(f"{i}:{-1 + i / 128:.4f}" for i in range(1, 257))], ["10", *["1:-1"] * 256]]
    packed = bz2.compress("\n".join(map(" ".join, rows)).encode())
    server.files["usps.bz2"] = packed
    monkeypatch.setattr(
        datasets.USPS, "split_list", {"train": [f"{server.url}usps.bz2", "usps.bz2", md5(packed)]}
    )
    data = datasets.USPS(tmp_path, download=True)
    image, label = data[0]
    assert len(data) == 2 and image.size == (16, 16) and data.targets == [2, 9] and label == 2
    assert image.getpixel((15, 15)) == 255 and data.data[1].max() == 0
    line = " ".join(["1.0000"] * 16 + ["0.0000"] * 240 + ["0"] * 4 + ["1"] + ["0"] * 5)
    text = f"{line}\n{line}\n".encode()
    server.files["semeion.data"] = text
    monkeypatch.setattr(datasets.SEMEION, "url", f"{server.url}semeion.data")
    monkeypatch.setattr(datasets.SEMEION, "md5_checksum", md5(text))
    data = datasets.SEMEION(tmp_path, transform=transforms.ToTensor())
    assert data[1][1] == 4 and data[1][0].sum() == 16
    with pytest.raises(RuntimeError, match=r"put usps\.bz2"):
        datasets.USPS(tmp_path / "elsewhere")
