"""The contract, held against what is answered to whatever fits it, and to what does not."""

import subprocess
import sys

from lungcare import openapi
from lungcare.problem import STATUS_BY_CODE
from lungcare.settings import Settings

EXAMPLES = 8
FROZEN_CODES = {
    code: status
    for status, codes in {
        400: "bad_request damaged_file damaged_request empty_file no_film several_films several_images wrong_field "
        "wrong_value",
        401: "no_key wrong_key",
        404: "not_found",
        405: "method_not_allowed",
        408: "slow_request",
        413: "file_too_large request_too_large too_costly too_many_films too_many_pixels",
        415: "not_multipart unsupported_format unsupported_pixels",
        422: "inverted lateral_film nearly_empty no_contrast no_image not_a_chest_film part_of_chest "
        "photograph_of_film several_in_one sideways too_bright too_dark too_small upside_down "
        "wrong_body_part wrong_modality wrong_view",
        429: "too_many_requests too_many_wrong_keys",
        500: "internal_error",
        503: "busy not_ready",
        504: "timed_out",
    }.items()
    for code in codes.split()
}
FROZEN_FIELDS = {
    name: set(fields.split())
    for name, fields in {
        "Reading": "schema_version outcome finding probabilities prevalence uncertain flags corrections in_lungs model",
        "MappedReading": "schema_version outcome finding probabilities prevalence uncertain flags corrections in_lungs "
        "model map",
        "Batch": "schema_version results model",
        "Problem": "type title status detail schema_version outcome code message advice model request_id",
        "ConditionTexts": "schema_version conditions",
    }.items()
}


def test_nothing_that_is_asked_breaks_the_contract(server, tmp_path):
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    options = ["--checks", checks, "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"]
    options += ["--mode", "all", "--seed", "1", "--no-color", "--workers", "1", "--request-timeout", "60"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "classify" in done.stdout or "passed" in done.stdout


def test_a_code_that_was_once_answered_never_changes():
    """Programs act on them: take none away, and give none another status. New ones may join."""
    assert FROZEN_CODES.items() <= STATUS_BY_CODE.items()


def test_whatever_wants_a_key_may_tell_to_wait():
    """Where keys are wanted, many wrong ones are answered 429."""
    for methods in openapi.document(Settings())["paths"].values():
        for operation in methods.values():
            assert ("401" in operation["responses"]) == ("429" in operation["responses"])


def test_a_field_that_was_once_answered_stays():
    """What schema_version 1.0 promises: a field may join, none may leave."""
    schemas = openapi.document(Settings())["components"]["schemas"]
    for name, fields in FROZEN_FIELDS.items():
        assert fields <= set(schemas[name]["properties"]), name
        assert schemas[name]["properties"]["schema_version"]["const"] == "1.0"
