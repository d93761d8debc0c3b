"""LungCare: bytes -> radiograph -> reading."""

__version__ = "0.1.0"
