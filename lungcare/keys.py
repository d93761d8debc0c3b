"""API keys: kept as checksums only, and compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

_LEAST_CHARACTERS = 16
_MARK = "sha256:"


@dataclass(frozen=True)
class KeyRecord:
    """A key that may call the service. checksum: its SHA-256, in hexadecimal; the key itself is kept nowhere."""

    checksum: str

    @property
    def name(self) -> str:
        """How the log and the limits name the key; it tells nothing of the key."""
        return self.checksum[:8]


def new_key() -> tuple[str, str]:
    """A new key of 256 random bits, and what to write into the settings for it."""
    key = secrets.token_urlsafe(32)
    return key, _MARK + _checksum(key)


def parse_keys(entries: Iterable[str]) -> tuple[KeyRecord, ...]:
    """Entries `sha256:<checksum>`, or keys as they are; empty ones are left out.

    Raises ValueError for what was meant as a checksum and is none, since its text would open the service, and for a key
    of fewer than 16 characters, which can be guessed.
    """
    records = []
    for entry in (entry.strip() for entry in entries):
        if "sha256" in entry.lower():
            if not re.fullmatch(_MARK + "[0-9a-fA-F]{64}", entry):
                raise ValueError("an entry with a checksum is sha256: and 64 hexadecimal digits, without quotes")
            records.append(KeyRecord(entry.removeprefix(_MARK).lower()))
        elif entry:
            if len(entry) < _LEAST_CHARACTERS:
                raise ValueError(f"a key must have at least {_LEAST_CHARACTERS} characters")
            records.append(KeyRecord(_checksum(entry)))
    return tuple(records)


def matching(records: Iterable[KeyRecord], key: str) -> KeyRecord | None:
    """The record of a key, if there is one. Every record is compared, each in constant time."""
    checksum = _checksum(key)
    found = None
    for record in records:
        if hmac.compare_digest(record.checksum, checksum):
            found = record
    return found


def _checksum(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
