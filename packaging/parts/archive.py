"""The archive: a folder with the binary, completions, manual pages and licences, to be unpacked
anywhere. The name has the target and no version in it, so that the newest has one address."""

import io
import zipfile

from . import project
from .project import File


def name(target):
    """The archive's file name."""
    return f"keyfob-{target.triple}" + (".zip" if target.windows else ".tar.gz")


def build(binary, target):
    """`{file name: bytes}` of the archive for `target`."""
    files = [File(target.program, binary, program=True)]
    files += [File(document, project.read(document)) for document in project.DOCUMENTS]
    completions = sorted((project.ROOT / "completions").iterdir())
    files += [File(f"completions/{path.name}", path.read_bytes()) for path in completions]
    files += [File(f"man/man{section}/{page}", content) for section, page, content in project.manual_pages()]
    folder = f"keyfob-{target.triple}"
    for file in files:
        file.path = f"{folder}/{file.path}"
    if target.windows:
        return {name(target): zip_of(files)}
    return {name(target): project.gz(project.tar(files))}


def zip_of(files):
    """A zip of `files` in order of their paths; their date is the first that the format knows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(files, key=lambda file: file.path):
            member = zipfile.ZipInfo(file.path, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = (0o100000 | file.mode) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.content)
    return out.getvalue()
