"""Compressed streams of DICOM -> stored values, by imagecodecs: JPEG of every process, JPEG-LS, JPEG 2000 and RLE.

One library with a permissive licence (BSD-3-Clause) for what otherwise takes four plugins of pydicom, one of them under
the GPL. Nothing is checked here: lungcare/dicom.py reads the header of a stream before it comes here.
"""

import imagecodecs
import numpy as np


def jpeg(stream: bytes, is_luma: bool = False) -> np.ndarray:
    """JPEG of any process, 2 to 16 bits: (rows, columns) or (rows, columns, 3) in the colours of the stream.

    is_luma: of a colour stream in YCbCr, the luma alone.
    """
    if is_luma:
        return imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="GRAYSCALE")
    return imagecodecs.jpeg8_decode(stream)


def jpeg_as_it_is(stream: bytes) -> np.ndarray:
    """JPEG in colour, its channels as they are stored, whatever its marks say: uint8 (rows, columns, 3)."""
    return imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB")


def jpegls(stream: bytes) -> np.ndarray:
    """JPEG-LS, lossless or nearly: (rows, columns) or (rows, columns, 3)."""
    return imagecodecs.jpegls_decode(stream)


def jpeg2000(stream: bytes) -> np.ndarray:
    """JPEG 2000, high-throughput too: (rows, columns), or (rows, columns, 3) in RGB."""
    return imagecodecs.jpeg2k_decode(stream)


def rle(stream: bytes, rows: int, columns: int, samples: int, bits: int) -> np.ndarray:
    """RLE: (rows, columns) or (rows, columns, samples)."""
    planes = np.zeros((samples, rows, columns), f"<u{bits // 8}")
    decoded = imagecodecs.dicomrle_decode(stream, planes.dtype, out=planes.reshape(-1).view(np.uint8))
    if len(decoded) != planes.nbytes:
        raise ValueError("the stream is shorter than its header says")
    return planes[0] if samples == 1 else np.moveaxis(planes, 0, -1)
