"""Small real images, each made in an empty directory by the program that owns the format."""

import compileall
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from fuzz.names import MARK

EPOCH: Final = 1_700_000_000
MIB: Final = 1 << 20
_PATH: Final = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"))

# Makes an image in an empty directory.
Maker = Callable[[Path], Path]


class MissingError(Exception):
    """A program that makes an image is not installed, or is too old."""


def run(*argv: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> bytes:
    """Return what a program wrote. Raises MissingError when it is not installed or cannot do it."""
    program = shutil.which(str(argv[0]), path=_PATH)
    if program is None:
        raise MissingError(f"{argv[0]} is not installed")
    environment = {
        "PATH": _PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent", "TMPDIR": "/tmp",
        "SOURCE_DATE_EPOCH": str(EPOCH), "E2FSPROGS_FAKE_TIME": str(EPOCH), "MTOOLS_SKIP_CHECK": "1",
    }  # fmt: skip
    done = subprocess.run(
        (program, *map(str, argv[1:])), input=stdin, env=environment, cwd=cwd, capture_output=True, check=False
    )
    if done.returncode:
        raise MissingError(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return done.stdout


def tree(place: Path, *, plain: bool = False) -> Path:
    """Make a tree with a bit of everything; PLAIN is what FAT can hold."""
    root = place / "tree"
    (root / "etc/deep").mkdir(parents=True)
    (root / "etc/hostname").write_text("host\n")
    (root / "etc/deep" / MARK).write_text(f"{MARK}\n" * 3)
    (root / f"{MARK}.txt").write_text("text\n" * 40)
    (root / "empty").touch()
    (root / "large").write_bytes(random.Random(1).randbytes(9_000))
    (root / "zeros").write_bytes(bytes(20_000))
    if not plain:
        (root / "link").symlink_to(MARK)
        (root / "same").hardlink_to(root / "large")
        os.mkfifo(root / "pipe")
        (root / "new\nline").write_text("x")
    for path in (root, *root.rglob("*")):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    return root


def _sized(image: Path, size: int) -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    return image


def _written(image: Path, content: bytes) -> Path:
    image.write_bytes(content)
    return image


def tar(*options: str) -> Maker:
    def make(place: Path) -> Path:
        fixed = ("--sort=name", "--numeric-owner", "--owner=0", "--group=0", *options)
        return _written(place / "image", run("tar", "-c", *fixed, "-C", tree(place), "."))

    return make


def cpio(form: str) -> Maker:
    def make(place: Path) -> Path:
        root = tree(place)
        names = "".join(f"{path.relative_to(root)}\0" for path in sorted(root.rglob("*"))).encode()
        return _written(place / "image", run("cpio", "-0", "-o", "--quiet", "-H", form, stdin=names, cwd=root))

    return make


def zip_archive(place: Path) -> Path:
    run("zip", "-q", "-r", "-y", place / "image.zip", ".", "-x", "pipe", cwd=tree(place))
    return place / "image.zip"


def ar(place: Path) -> Path:
    root = tree(place)
    members = ("debian-binary", f"{MARK}.txt", "large", "etc/hostname")
    (root / "debian-binary").write_text("2.0\n")
    run("ar", "rcD", place / "image", *members, cwd=root)
    return place / "image"


def rpm(place: Path) -> Path:
    head = "Name: thing\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch\n%description\nx\n"
    copied = (
        f"%install\nmkdir -p %{{buildroot}}/opt\ncp -r {tree(place, plain=True)}/* %{{buildroot}}/opt\n%files\n/opt\n"
    )
    (place / "thing.spec").write_text(head + copied)
    macros = (f"_topdir {place}/top", f"_dbpath {place}/db", "_buildhost host", "_binary_payload w3.gzdio")
    run("rpmbuild", "-bb", "--quiet", *(word for macro in macros for word in ("--define", macro)), place / "thing.spec")
    return next((place / "top/RPMS").rglob("*.rpm"))


def mke2fs(*options: str, size: int = MIB) -> Maker:
    def make(place: Path) -> Path:
        run("mke2fs", "-q", "-F", *options, "-d", tree(place), _sized(place / "image", size))
        return place / "image"

    return make


def fat(place: Path) -> Path:
    root = tree(place, plain=True)
    run("mkfs.fat", "-i", "cafe1234", "-n", "LABEL", _sized(place / "image", MIB))
    run("mcopy", "-i", place / "image", "-s", "-m", *sorted(root.iterdir()), "::/")
    return place / "image"


def mksquashfs(*options: str) -> Maker:
    def make(place: Path) -> Path:
        run("mksquashfs", tree(place), place / "image", "-quiet", "-no-progress", *options)
        return place / "image"

    return make


def erofs(*options: str) -> Maker:
    def make(place: Path) -> Path:
        run("mkfs.erofs", "-T", str(EPOCH), *options, place / "image", tree(place))
        return place / "image"

    return make


def btrfs(place: Path) -> Path:
    run("mkfs.btrfs", "-q", "-f", "--mixed", "--rootdir", tree(place), _sized(place / "image", 24 * MIB))
    return place / "image"


def xfs(place: Path) -> Path:
    root = tree(place)
    lines = [
        f"{MARK}.txt ---644 0 0 {root}/{MARK}.txt",
        f"large ---644 0 0 {root}/large",
        f"link l--777 0 0 {MARK}",
        f"etc d--755 0 0\n{MARK} ---644 0 0 {root}/etc/deep/{MARK}\n$",
    ]
    (place / "proto").write_text("/dev/null\n0 0\nd--755 0 0\n" + "\n".join(lines) + "\n$\n")
    run("mkfs.xfs", "-q", "-p", place / "proto", _sized(place / "image", 300 * MIB))
    return place / "image"


def f2fs(*options: str) -> Maker:
    def make(place: Path) -> Path:
        root = tree(place)
        image = _sized(place / "image", 64 * MIB)
        run("mkfs.f2fs", "-q", "-f", "-r", "-T", str(EPOCH), *options, image)
        run("sload.f2fs", "-T", str(EPOCH), "-f", root, image)
        return image

    return make


def iso(place: Path) -> Path:
    root = tree(place)
    _written(root / "boot.img", b"\xfa\xf4" * 1024)
    boot = ("-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4", "-c", "boot.cat")
    run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", *boot, "-o", place / "image", root)
    return place / "image"


def swap(place: Path) -> Path:
    run("mkswap", "-L", "label", _sized(place / "image", 64 << 10))
    return place / "image"


def gpt(place: Path) -> Path:
    """A disk with a FAT file system that holds a compressed initrd, and an ext4 one."""
    (place / "inner").mkdir()
    (place / "other").mkdir()
    initrd = _written(place / "inner/packed", run("zstd", "-c", stdin=cpio("newc")(place / "inner").read_bytes()))
    esp = fat(place)
    run("mcopy", "-i", esp, initrd, "::/initrd")
    root = mke2fs("-t", "ext4")(place / "other")
    disk = _sized(place / "disk", 4 * MIB)
    with disk.open("r+b") as file:
        for start, part in ((MIB, esp), (2 * MIB, root)):
            file.seek(start)
            file.write(part.read_bytes())
    script = f"label: gpt\nstart=2048, size=2048, type=uefi, name={MARK[:30]}\nstart=4096, size=2048, name=root\n"
    run("sfdisk", "--quiet", "--wipe=never", disk, stdin=script.encode())
    return disk


def mbr(place: Path) -> Path:
    disk = _sized(place / "disk", 3 * MIB)
    with disk.open("r+b") as file:
        file.seek(512 * 64)
        file.write(mke2fs("-t", "ext2", size=MIB // 4)(place).read_bytes())
    parts = ("start=64, size=512, type=83, bootable", "start=2048, size=2048, type=5")
    logical = ("start=2112, size=400", "start=2600, size=400")
    script = "\n".join(("label: dos", *parts, *logical, "")).encode()
    run("sfdisk", "--quiet", "--wipe=never", disk, stdin=script)
    return disk


def virtual(form: str, *options: str) -> Maker:
    def make(place: Path) -> Path:
        extra = [word for option in options for word in ("-o", option)]
        run("qemu-img", "convert", "-O", form, *extra, mbr(place), place / "image")
        return place / "image"

    return make


def oci(place: Path) -> Path:
    layout = place / "layout"
    (layout / "blobs/sha256").mkdir(parents=True)

    def blob(content: bytes, kind: str) -> dict[str, object]:
        digest = sha256(content).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    archive = tar()(place).read_bytes()
    config = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(archive).hexdigest()}"]}}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps({"architecture": "amd64", "author": MARK, **config}).encode(), "config.v1+json"),
        "layers": [blob(run("gzip", "-nc", stdin=archive), "layer.v1.tar+gzip")],
        "annotations": {"name": MARK},
    }
    index = {"schemaVersion": 2, "manifests": [blob(json.dumps(manifest).encode(), "manifest.v1+json")]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return _written(place / "image", run("tar", "-c", "--sort=name", "-C", layout, "blobs", "index.json", "oci-layout"))


def docker(place: Path) -> Path:
    (place / "oci").mkdir()
    image = oci(place / "oci")
    run("skopeo", "--insecure-policy", "copy", "-q", f"oci-archive:{image}", f"docker-archive:{place}/image:a/b:latest")
    return place / "image"


def object_file(place: Path, more: str = "") -> Path:
    source = f'.globl _start\n_start: ret\n.data\n.long 1\n.section .cmdline,"a"\n.ascii "root={MARK}"\n{more}'
    run("as", "--64", "-o", place / "object", "-", stdin=source.encode())
    return place / "object"


def elf(place: Path) -> Path:
    source = b'#include <stdio.h>\nint main(void) { return printf("%s", __DATE__); }\n'
    run("gcc", "-g", "-x", "c", "-o", place / "image", "-", stdin=source, cwd=place)
    return place / "image"


def pe(place: Path) -> Path:
    """A unified kernel image in small: an initrd and a command line in a PE file."""
    code = object_file(place, f'.section .initrd,"a"\n.incbin "{cpio("newc")(place)}"\n')
    run("ld", "-m", "i386pep", "-e", "_start", "-o", place / "uki", code)
    return place / "uki"


def pyc(place: Path) -> Path:
    _written(place / "module.py", f"name = '{MARK}'\n".encode())
    compileall.compile_file(str(place / "module.py"), quiet=2, legacy=True)
    return place / "module.pyc"


def sqlite(place: Path) -> Path:
    script = (
        f"create table t (a, b);\ninsert into t values (1, '{MARK}'), (2, zeroblob(9000));\ncreate index i on t (b);"
    )
    run("sqlite3", place / "image", stdin=script.encode())
    return place / "image"


def ldconfig(cache: str) -> Maker:
    """The cache of the dynamic linker, or what ldconfig keeps for itself."""

    def make(place: Path) -> Path:
        for directory in ("etc", "usr/lib", "var/cache/ldconfig"):
            (place / directory).mkdir(parents=True)
        (place / "etc/ld.so.conf").write_text("/usr/lib\n")
        name = f"lib{MARK}.so.1"
        run("gcc", "-shared", "-nostdlib", f"-Wl,-soname,{name}", "-x", "c", "-o", place / "usr/lib" / name, "-")
        run("ldconfig", "-r", place)
        return place / cache

    return make


def hwdb(place: Path) -> Path:
    (place / "etc/udev/hwdb.d").mkdir(parents=True)
    lines = "".join(f"usb:v{number:04X}*\n ID_MODEL={MARK}{number}\n\n" for number in range(40))
    (place / "etc/udev/hwdb.d/a.hwdb").write_text(lines)
    run("systemd-hwdb", f"--root={place}", "update")
    return place / "etc/udev/hwdb.bin"


def catalog(place: Path) -> Path:
    for directory in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (place / directory).mkdir(parents=True)
    entries = "".join(f"-- {number:032x}\nSubject: {MARK}\n\ntext {number}\n\n" for number in range(1, 20))
    (place / "usr/lib/systemd/catalog/a.catalog").write_text(entries)
    run("journalctl", f"--root={place}", "--update-catalog")
    return place / "var/lib/systemd/catalog/database"


def luks(version: int) -> Maker:
    def make(place: Path) -> Path:
        quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode", "--key-file", "-")
        image = _sized(place / "image", 20 * MIB)
        image.chmod(0o600)
        run("cryptsetup", "luksFormat", "--type", f"luks{version}", *quick, image, stdin=b"secret")
        return image

    return make


def verity(place: Path) -> Path:
    run("veritysetup", "format", _written(place / "data", b"x" * MIB), _sized(place / "image", MIB // 4))
    return place / "image"


def verity_signature(place: Path) -> Path:
    """What systemd-repart writes beside a verity partition: JSON, filled up with zeros."""
    return _written(place / "image", json.dumps({"rootHash": "ab" * 32, "signature": MARK}).encode().ljust(4096, b"\0"))
