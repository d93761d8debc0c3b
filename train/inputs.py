"""Films of the data as a network sees them in service: decoded from their files by the library."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lungcare.film import decode, network_input
from lungcare.margins import without_margins
from train.split import Placed


def network_inputs(data: Path, films: list[Placed], size: int) -> np.ndarray:
    """float32 (films, size, size, 1), grey levels 0 to 255."""

    def one(placed: Placed) -> np.ndarray:
        film = without_margins(decode((data / placed.film.file).read_bytes(), side=size))
        return network_input(film, size)

    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(one, films)))
