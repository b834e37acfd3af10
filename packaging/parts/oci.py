"""The container image, as an OCI archive that skopeo, buildah, podman and docker read: nothing but the
static binary, the authorities that TLS trusts, and two folders that a user without a name may write."""

import json
import pathlib

from . import project
from .project import File

# Where systems keep the list of authorities; it goes into the image under the first name, which is
# where the binary looks.
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
NOBODY = "65532:65532"
STICKY = 0o1777

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def authorities():
    """The machine's list of authorities: the one part that does not come from the commit."""
    for path in map(pathlib.Path, AUTHORITIES):
        if path.exists():
            return path.read_bytes()
    raise SystemExit("there is no list of authorities for the image: install ca-certificates")


def layer(binary):
    """What is in the image."""
    files = [
        File("usr/bin/keyfob", binary, program=True),
        File(AUTHORITIES[0].lstrip("/"), authorities()),
        *(File(f"usr/share/doc/keyfob/{name}", project.read(name)) for name in project.LICENCES),
    ]
    return project.tar(files, folders={"home": STICKY, "tmp": STICKY})


def build(binaries):
    """`{file name: bytes}` of one archive with an image for each `(target, binary)`."""
    blobs, manifests = {}, []

    def keep(kind, content):
        digest = project.sha256(content)
        blobs[digest] = content
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    for target, binary in binaries:
        unpacked = layer(binary)
        packed = keep(LAYER, project.gz(unpacked))
        config = keep(CONFIG, dump(configuration(target, project.sha256(unpacked))))
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [packed], "annotations": annotations()}
        platform = {"architecture": target.oci, "os": "linux"}
        manifests.append({**keep(MANIFEST, dump(manifest)), "platform": platform})
    if not manifests:
        return {}
    entry = manifests[0]
    if len(manifests) > 1:
        entry = keep(INDEX, dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    entry = {**entry, "annotations": {"org.opencontainers.image.ref.name": project.VERSION}}
    files = [
        File("oci-layout", dump({"imageLayoutVersion": "1.0.0"})),
        File("index.json", dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})),
        *(File(f"blobs/sha256/{digest}", content) for digest, content in blobs.items()),
    ]
    machines = "-".join(sorted(target.oci for target, _ in binaries))
    return {f"keyfob-{project.VERSION}-oci-{machines}.tar": project.tar(files)}


def dump(document):
    """A document's bytes, the same each time."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def annotations():
    """What registries show."""
    of = {
        "title": "keyfob",
        "description": project.DESCRIPTION,
        "version": project.VERSION,
        "revision": project.commit(),
        "source": project.REPOSITORY,
        "licenses": project.LICENCE,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in of.items()}


def configuration(target, diff_id):
    """How it is run: as nobody, with a home of its own."""
    return {
        "architecture": target.oci,
        "os": "linux",
        "config": {
            "Entrypoint": ["/usr/bin/keyfob"],
            "Env": ["PATH=/usr/bin:/bin", "HOME=/home"],
            "User": NOBODY,
            "WorkingDir": "/home",
            "Labels": annotations(),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
        "history": [{"created_by": "packaging/build"}],
    }
