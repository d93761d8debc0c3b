"""Faults: what the benchmarks try with the model that is served, with a small one."""

import shutil
import subprocess

import pytest

from benchmarks import faults
from lungcare.bundle import Bundle


def may_make_file_systems() -> bool:
    if not shutil.which(faults.OWN_FILES[0]):
        return False
    return subprocess.run([*faults.OWN_FILES, "mount -t tmpfs none /tmp"], capture_output=True).returncode == 0


NEEDS_FILE_SYSTEM = pytest.mark.skipif(
    not may_make_file_systems(), reason="this system lets us make no file system of our own (unshare, mount)"
)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(name, marks=NEEDS_FILE_SYSTEM if "room" in name or "read-only" in name else ())
        for name in faults.AT_START
    ],
)
def test_a_start_that_cannot_go_on_is_refused_in_a_sentence(bundle_folder, tmp_path, fault):
    outcome = faults.AT_START[fault](Bundle(bundle_folder), tmp_path)
    assert outcome.held, outcome.told


@pytest.fixture(scope="module")
def running(bundle_folder, tmp_path_factory):
    """A server in a file system of its own."""
    with faults.bounded(Bundle(bundle_folder), tmp_path_factory.mktemp("bounded")) as running:
        yield running


@NEEDS_FILE_SYSTEM
@pytest.mark.parametrize("fault", faults.WHILE_SERVING)
def test_a_server_goes_on(running, fault):
    outcome = faults.WHILE_SERVING[fault](running)
    assert outcome.held, outcome.told
