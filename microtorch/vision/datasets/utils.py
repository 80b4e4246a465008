"""Files from the network, with a checksum: `torchvision.datasets.utils`.

A file is written beside its place, as `name.part`, checked, and renamed: what stands under its own
name is whole. A `.part` that an interrupted download left is continued by a Range request.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from ...base.errors import message
from ...utils.progress import Bar

PathLike = str | Path
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 16


class NotThere(Exception):
    """Why an address did not give the file: a line of the error that `download` raises."""

    def __init__(self, *, why: str) -> None:
        super().__init__(why)


# A damaged archive shows itself by one of these.
BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


def calculate_md5(fpath: PathLike, chunk_size: int = 1 << 20) -> str:
    """The MD5 checksum of a file, 32 hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while block := file.read(chunk_size):
            digest.update(block)
    return digest.hexdigest()


def check_md5(fpath: PathLike, md5: str) -> bool:
    """Does the file have this checksum?"""
    return md5 == calculate_md5(fpath)


def check_integrity(fpath: PathLike, md5: str | None = None) -> bool:
    """Is there a file, with this checksum if one is given?"""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def verify_str_arg(
    value: str, arg: str | None = None, valid_values: Iterable[str] | None = None
) -> str:
    """`value`, if it is one of `valid_values`; else a ValueError that lists them."""
    if not isinstance(value, str):
        raise ValueError(
            message(f"Expected type str for argument {arg}, but got type {type(value)}.")
        )
    known = None if valid_values is None else list(valid_values)
    if known is not None and value not in known:
        raise ValueError(
            message(
                f"Unknown value '{value}' for argument {arg}. Valid values are {{{known}}}.",
                fix=f"{arg}={known[0]!r}" if known else "",
            )
        )
    return value


def download_url(
    url: str,
    root: PathLike,
    filename: PathLike | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Fetch `url` into the folder `root`; nothing is done where the file is there already.

    `filename`: by default the last part of the URL. Redirections are followed as urllib does.
    Raises RuntimeError when the file cannot be had.
    """
    name = os.fspath(filename or os.path.basename(url))
    download([url], Path(root).expanduser() / name, md5)


def download_file_from_google_drive(
    file_id: str, root: PathLike, filename: PathLike | None = None, md5: str | None = None
) -> None:
    """Fetch a shared file of Google Drive into `root`, under its id or `filename`.

    Raises RuntimeError when the file cannot be had; Drive refuses files that many people fetch.
    """
    url = "https://drive.usercontent.google.com/download?export=download&confirm=t&id=" + file_id
    download_url(url, root, filename or file_id, md5)


def download(urls: Sequence[str], path: Path, md5: str | None = None) -> None:
    """Fetch `path` from the first of `urls` that gives the file with this checksum.

    Raises RuntimeError that names each address, what it answered, and where to put the file by
    hand.
    """
    if check_integrity(path, md5):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = []
    for url in urls:
        try:
            _fetch(url, path, md5)
        except (OSError, http.client.HTTPException, NotThere) as error:
            answers.append(f"Tried {url}, got: {type(error).__name__}: {error}")
        else:
            return
    checksum = f" (MD5 {md5})" if md5 else ""
    raise RuntimeError(
        message(
            f"Error downloading {path.name}",
            *answers,
            fix=f"without a network, get the file{checksum} elsewhere and put it at\n       {path}",
        )
    )


def _fetch(url: str, path: Path, md5: str | None) -> None:
    """One file from one address. OSError or NotThere if it does not come whole."""
    if not url.startswith(("http://", "https://")):
        raise NotThere(why=f"{url} is not an http or https address")
    part = path.with_name(path.name + ".part")
    continued = part.exists() and part.stat().st_size > 0
    try:
        _receive(url, part, path.name)
    except urllib.error.HTTPError as error:
        error.close()
        if not (continued and error.code == 416):  # 416: nothing follows where the part ends
            raise
    if md5 is not None and not check_md5(part, md5):
        part.unlink()
        if not continued:
            raise NotThere(why=f"the file that came does not have the MD5 checksum {md5}")
        _fetch(url, path, md5)  # the part that was there did not belong to this file
        return
    os.replace(part, path)


def _receive(url: str, part: Path, name: str) -> None:
    """Write what `url` sends to `part`, after what is there if the server can continue."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "microtorch"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        ranged = answer.headers.get("Content-Range", "")
        if answer.status != 206 or not ranged.startswith(f"bytes {start}-"):
            start = 0  # the whole file comes again
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        print(f"Downloading {url}", file=sys.stderr)
        with open(part, "ab" if start else "wb") as file, Bar(total, name, "B") as bar:
            bar.update(start)
            while block := answer.read(CHUNK):
                file.write(block)
                bar.update(len(block))
            if total is not None and file.tell() != total:
                raise NotThere(why=f"{file.tell()} of {total} bytes came; run again to continue")


def extract_archive(
    from_path: PathLike, to_path: PathLike | None = None, remove_finished: bool = False
) -> PathLike:
    """Unpack a .gz, .xz, .zip, .tar, .tgz or .tar.gz file; returns where its content lies.

    An archive goes into the folder `to_path`, by default its own; a single compressed file is
    written under its name without the suffix. No member is written outside of the folder. Raises
    RuntimeError for a damaged file or another kind of file.
    """
    source = Path(from_path)
    folder = source.parent if to_path is None else Path(to_path)
    folder.mkdir(parents=True, exist_ok=True)
    name = source.name
    where: Path = folder
    try:
        if name.endswith((".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")):
            _unpack(source, folder, _untar)
        elif name.endswith(".zip"):
            _unpack(source, folder, _unzip)
        elif name.endswith((".gz", ".xz")):
            to_file = to_path is not None and not Path(to_path).is_dir()
            where = Path(to_path or "") if to_file else folder / source.stem
            _decompress(source, where)
        else:
            raise RuntimeError(message(f"Unknown kind of archive: {name}", fix="unpack it by hand"))
    except BROKEN as error:
        raise RuntimeError(
            message(
                f"{source} is damaged: {type(error).__name__}: {error}",
                fix="delete it and download it again",
            )
        ) from error
    if remove_finished:
        source.unlink()
    return where


def _decompress(source: Path, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        if source.suffix == ".gz":
            with gzip.GzipFile(source) as packed:
                shutil.copyfileobj(packed, file, CHUNK)
        else:
            _decompress_xz(source, file)
    os.replace(part, path)


def _decompress_xz(source: Path, file: IO[bytes]) -> None:
    import lzma  # which not every Python has

    try:
        with lzma.LZMAFile(source) as packed:
            shutil.copyfileobj(packed, file, CHUNK)
    except lzma.LZMAError as error:
        raise EOFError(str(error)) from error


def _untar(source: Path, folder: str) -> None:
    with tarfile.open(source) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:  # an older Python: plain files with plain names only
            for member in archive.getmembers():
                inside = not os.path.isabs(member.name) and ".." not in Path(member.name).parts
                if inside and (member.isfile() or member.isdir()):
                    archive.extract(member, folder, set_attrs=False)


def _unzip(source: Path, folder: str) -> None:
    with zipfile.ZipFile(source) as archive:
        archive.extractall(folder)  # which drops drives, leading slashes and ".." itself


def _unpack(source: Path, folder: Path, unpack: Callable[[Path, str], None]) -> None:
    """Unpack into a folder beside, then move what came to its place."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as beside:
        unpack(source, beside)
        for made in Path(beside).iterdir():
            _move(made, folder / made.name)


def _move(made: Path, place: Path) -> None:
    if made.is_dir() and place.is_dir():
        for inner in made.iterdir():
            _move(inner, place / inner.name)
    else:
        os.replace(made, place)


def download_and_extract_archive(
    url: str,
    download_root: PathLike,
    extract_root: PathLike | None = None,
    filename: PathLike | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url`, then `extract_archive` into `extract_root` (by default the same folder)."""
    root = Path(download_root).expanduser()
    name = os.fspath(filename or os.path.basename(url))
    download_url(url, root, name, md5)
    extract_archive(root / name, extract_root or root, remove_finished)


def list_dir(root: PathLike, prefix: bool = False) -> list[str]:
    """The folders in `root`, by name; with `prefix` their paths."""
    root = os.path.expanduser(root)
    found = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in found] if prefix else found


def list_files(root: PathLike, suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """The files in `root` that end in `suffix`, by name; with `prefix` their paths."""
    root = os.path.expanduser(root)
    found = [
        name
        for name in os.listdir(root)
        if os.path.isfile(os.path.join(root, name)) and name.endswith(suffix)
    ]
    return [os.path.join(root, name) for name in found] if prefix else found
