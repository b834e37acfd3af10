"""The bill of materials in CycloneDX's JSON: what is compiled into the binary for a target, from the
same list as THIRD-PARTY.txt, with the digests of Cargo.lock."""

import datetime
import json
import re
import uuid

from . import crates, project


def build(target):
    """`{file name: bytes}` of the one for `target`."""
    known = crates.metadata(target.triple)
    packages = crates.shipped(known)
    ids = {known["resolve"]["root"], *packages}
    urls = {id_: url(package) for id_, package in packages.items()}
    urls[known["resolve"]["root"]] = root = f"pkg:cargo/keyfob@{project.VERSION}"
    digests = locked()
    components = []
    for id_, package in packages.items():
        component = {
            "type": "library",
            "bom-ref": urls[id_],
            "name": package["name"],
            "version": package["version"],
            "purl": urls[id_],
            "scope": "required",
        }
        if package.get("license"):
            component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if (package["name"], package["version"]) in digests:
            digest = digests[package["name"], package["version"]]
            component["hashes"] = [{"alg": "SHA-256", "content": digest}]
        components.append(component)
    edges = [
        {"ref": urls[node["id"]], "dependsOn": sorted(urls[dep["pkg"]] for dep in node["deps"] if dep["pkg"] in packages)}
        for node in known["resolve"]["nodes"]
        if node["id"] in ids
    ]
    made = datetime.datetime.fromtimestamp(project.epoch(), datetime.timezone.utc)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{project.REPOSITORY}/{project.commit()}/{target.triple}')}",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "keyfob",
                "version": project.VERSION,
                "purl": root,
                "licenses": [{"expression": project.LICENCE}],
            },
            "properties": [{"name": "cdx:rustc:sbom:target:triple", "value": target.triple}],
        },
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": sorted(edges, key=lambda edge: edge["ref"]),
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    return {f"keyfob-{target.triple}.cdx.json": text.encode()}


def url(package):
    """What a package is called across registries."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def locked():
    """The digests of the packages' archives, from Cargo.lock."""
    text = (project.ROOT / "Cargo.lock").read_text(encoding="utf-8")
    entries = re.findall(r'^name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"$', text, re.MULTILINE)
    return {(name, version): digest for name, version, digest in entries}
