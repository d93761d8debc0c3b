"""What deploy/ and the documents tell an operator, held to what there is."""

import re

import yaml

from lungcare.settings import PREFIX, Settings
from tests.serving import ROOT

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").glob("*.md"))]


def test_compose_sets_settings_that_there_are(monkeypatch, tmp_path):
    service = COMPOSE["services"]["lungcare"]
    (tmp_path / "keys").write_text("a-key-of-a-program\n")
    for name, value in service["environment"].items():
        assert name == "BENTOML_HOME" or name.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(name, str(tmp_path / "keys") if name.endswith("_FILE") else value)
    assert Settings.from_environment().keys
    (secret,) = service["secrets"]
    assert service["environment"]["LUNGCARE_API_KEYS_FILE"] == f"/run/secrets/{secret}"
    assert secret in COMPOSE["secrets"]


def test_compose_gives_no_more_than_is_needed():
    service = COMPOSE["services"]["lungcare"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    (scratch,) = service["tmpfs"]
    assert service["environment"]["BENTOML_HOME"].startswith(scratch.partition(":")[0] + "/")


def test_compose_has_room_for_as_many_batches_as_it_takes():
    service = COMPOSE["services"]["lungcare"]
    settings = Settings(
        max_batch_bytes=service["environment"].get("LUNGCARE_MAX_BATCH_BYTES", Settings().max_batch_bytes),
        max_concurrency=service["environment"]["LUNGCARE_MAX_CONCURRENCY"],
    )
    (size,) = re.findall(r"^/tmp:size=(\d+)g$", service["tmpfs"][0])
    # BentoML keeps each film twice on the disk, as it came and as the file that is read.
    assert 2 * settings.max_concurrency * max(settings.max_batch_bytes, settings.max_bytes) < int(size) * 2**30


def test_every_setting_that_a_document_names_is_one():
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for path in DOCUMENTS:
        named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text(encoding="utf-8")))
        assert named <= known | {"LUNGCARE_FILMS"}, path.name


def test_the_readme_says_which_steps_of_the_container_were_not_run():
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Run it in a container")[2]
    said = " ".join(section.partition("\n## ")[0].split())
    assert "Not run by us, for want of a container engine: `bentoml containerize`, `docker run` and compose." in said
    assert (ROOT / "docs" / "results" / "rehearsal.json").is_file()
