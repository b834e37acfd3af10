"""The npm packages: the binary in a package for each kind of machine, of which npm installs what fits,
and `keyfob`, which has a wrapper that runs it."""

import json

from . import project, targets
from .project import File

SCOPE = "@keyfob"


def archive(files, manifest, name):
    """`{file name: bytes}` of a package as npm packs it."""
    files = [File("package.json", (json.dumps(manifest, indent=2) + "\n").encode()), *files]
    files += [File(document, project.read(document)) for document in project.LICENCES]
    for file in files:
        file.path = f"package/{file.path}"
    packed = project.gz(project.tar(files))
    return {f"{name.lstrip('@').replace('/', '-')}-{project.VERSION}.tgz": packed}


def manifest(name, description, **fields):
    """The package.json of one."""
    return {
        "name": name,
        "version": project.VERSION,
        "description": description,
        "license": project.LICENCE,
        "repository": {"type": "git", "url": f"git+{project.REPOSITORY}.git"},
        **fields,
    }


def build(binary, target):
    """The package with the binary for `target`."""
    name = f"{SCOPE}/{target.npm}"
    fields = {"os": [target.system], "cpu": [target.cpu], "files": ["bin"], "preferUnplugged": True}
    if target.system == "linux" and not target.static:
        fields["libc"] = ["glibc"]
    described = manifest(name, f"keyfob for {target.triple}: install the package keyfob", **fields)
    readme = f"The binary of [keyfob](https://www.npmjs.com/package/keyfob) for {target.triple}.\n"
    files = [File(f"bin/{target.program}", binary, program=True), File("README.md", readme.encode())]
    return archive(files, described, name)


def wrapper():
    """The package that people install."""
    pages = project.manual_pages()
    described = manifest(
        "keyfob",
        project.DESCRIPTION,
        keywords=["secrets", "cli", "age", "vault"],
        homepage=project.REPOSITORY,
        bin={"keyfob": "bin/keyfob.js"},
        files=["bin", "man"],
        engines={"node": ">=18"},
        man=[f"./man/{page}" for _, page, _ in pages],
        optionalDependencies={f"{SCOPE}/{target.npm}": project.VERSION for target in targets.TARGETS.values()},
    )
    files = [
        File("bin/keyfob.js", project.read("packaging/npm/keyfob.js"), program=True),
        File("README.md", project.read("README.md")),
        *(File(f"man/{page}", content) for _, page, content in pages),
    ]
    return archive(files, described, "keyfob")
