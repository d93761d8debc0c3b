"""What a bento contains: an SBOM (CycloneDX) of the packages that its lock lists, and their licences."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

SBOM = "sbom.cdx.json"
LICENCES = "LICENCES.md"
_NOT_STATED = "not stated"


def write_contents(lock: Path, folder: Path) -> None:
    """Write both files into a folder."""
    bom = contents(lock)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SBOM).write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    (folder / LICENCES).write_text(licence_list(bom), encoding="utf-8")


def contents(lock: Path) -> dict:
    """The SBOM of what a lock lists for this Python and platform, by the CycloneDX project's own tool.

    A lock names no licences: they are added from the packages as they are installed here.
    """
    tool = Path(sys.executable).parent / "cyclonedx-py"
    command = [tool, "requirements", "--output-reproducible", "--of", "JSON", lock]
    bom = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    wanted = _locked(lock)
    components = [part for part in bom["components"] if wanted.get(_name(part["name"])) == part["version"]]
    for part in components:
        licence = _licence(part["name"])
        if licence != _NOT_STATED:
            part["licenses"] = [{"license": {"name": licence}}]
    kept = {part["bom-ref"] for part in components} | {"root-component"}
    edges = [edge for edge in bom.get("dependencies", ()) if edge["ref"] in kept]
    return bom | {"components": components, "dependencies": edges}


def licence_list(bom: dict) -> str:
    """A table of every package, its version and its licence."""
    head = ["# Packages in this bento, and their licences", "", "| Package | Version | Licence |", "|---|---|---|"]
    rows = []
    for part in sorted(bom["components"], key=lambda part: _name(part["name"])):
        licence = part["licenses"][0]["license"]["name"] if "licenses" in part else _NOT_STATED
        rows.append(f"| {part['name']} | {part['version']} | {licence} |")
    return "\n".join([*head, *rows]) + "\n"


def _locked(lock: Path) -> dict[str, str]:
    """Version by name, of what the lock lists for this Python and platform."""
    lines = re.findall(r"^([A-Za-z0-9].*?==.*?)\s*\\?$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [line for line in map(Requirement, lines) if line.marker is None or line.marker.evaluate()]
    return {_name(line.name): str(line.specifier).removeprefix("==") for line in wanted}


def _licence(name: str) -> str:
    """The licence that a package states: as an expression, in its classifiers, or in a line; else where its text is."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return _NOT_STATED
    if told.get("License-Expression"):
        return told["License-Expression"]
    marks = [mark.rpartition(" :: ")[2] for mark in told.get_all("Classifier", ()) if mark.startswith("License")]
    lines = (told.get("License") or "").strip().splitlines()
    stated = ", ".join(mark for mark in marks if mark != "OSI Approved") or (lines[0][:60] if lines else "")
    text = f"in its file {told['License-File']}" if "License-File" in told else _NOT_STATED
    return stated or text


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
