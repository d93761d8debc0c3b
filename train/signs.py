"""What is drawn by rule into a synthetic film: ribs, vessels, grain, and the sign of a condition.

All in the frame of `train.appearance`, on the mean outlines: grey levels with mean 0 and deviation 1, brighter
where more is absorbed. What each sign looks like: the textbooks that lungcare/screens.py names.
"""

import cv2
import numpy as np

from train.outlines import HEIGHTS

# Edges of the outlines, outer and inner; the right lung is on the left of the film.
_EDGES = {"right": (0, 1), "left": (3, 2)}


class Field:
    """The lungs in the frame, and places in them.

    points: landmarks in pixels of the frame, float (96, 2).
    """

    def __init__(self, points: np.ndarray, size: int):
        self.size = size
        self.edges = points.reshape(4, HEIGHTS, 2)
        self.y, self.x = np.mgrid[:size, :size].astype(np.float32)

    def place(self, lung: str, across: float, down: float) -> np.ndarray:
        """A place in a lung, x and y. across: from 0, outer edge, to 1, inner. down: from 0, apex, to 1, base."""
        outer, inner = (self.edges[edge] for edge in _EDGES[lung])
        at = down * (HEIGHTS - 1)
        heights = np.arange(HEIGHTS)
        ends = [np.array([np.interp(at, heights, edge[:, axis]) for axis in (0, 1)]) for edge in (outer, inner)]
        return ends[0] + across * (ends[1] - ends[0])

    def mask(self, lung: str) -> np.ndarray:
        """Where a lung is, float32 (size, size), soft by a few pixels at its edge."""
        outer, inner = (self.edges[edge] for edge in _EDGES[lung])
        outline = np.concatenate([outer, inner[::-1]]).round().astype(np.int32)
        return blurred(cv2.fillPoly(np.zeros((self.size, self.size), np.float32), [outline], 1), 2.5)

    def blob(self, at: np.ndarray, width: float, height: float, softness: float, rng: np.random.Generator):
        """A ragged round patch, 0 to 1: float32 (size, size). width, height: its radii in pixels."""
        rough = 0.4 * noise(self.size, 0.35 * (width + height), rng) + 0.1 * noise(self.size, 5, rng)
        distance = np.hypot((self.x - at[0]) / width, (self.y - at[1]) / height) + rough * 0.5
        return 1 / (1 + np.exp(np.clip((distance - 1) / softness, -30, 30)))


def blurred(film: np.ndarray, by: float) -> np.ndarray:
    """A Gaussian blur; by: its deviation in pixels."""
    return cv2.GaussianBlur(film.astype(np.float32), (0, 0), by)


def stroke(shape: tuple[int, int], line: np.ndarray, width: int = 1) -> np.ndarray:
    """A line of that width, 0 to 1: float32. line: x and y of its points, float (n, 2)."""
    drawn = np.zeros(shape, np.uint8)
    cv2.polylines(drawn, [(8 * line).round().astype(np.int32)], False, 255, width, cv2.LINE_AA, 3)
    return drawn.astype(np.float32) / 255


def noise(size: int, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise with mean 0 and deviation 1. grain: its coarseness in pixels."""
    small = max(4, round(2 * size / max(grain, 1)))
    field = cv2.resize(rng.normal(size=(small, small)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / field.std()


def ribs(field: Field, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Posterior and anterior ribs as hollow bands, to be added."""
    drawn = np.zeros((field.size, field.size), np.float32)
    start, step, slope = rng.uniform(-0.02, 0.03), rng.uniform(0.094, 0.108), rng.uniform(0.07, 0.12)
    for lung in _EDGES:
        tilt = rng.uniform(-0.012, 0.012)
        across = np.linspace(1.35, -0.06, 40)
        for number in range(9):
            down = start + tilt + number * step
            line = [_rib(field, lung, a, down, slope, number) for a in across]
            _band(drawn, np.array(line), 0.036 * field.size * rng.uniform(0.9, 1.05), strength)
        across = np.linspace(-0.05, rng.uniform(0.72, 0.85), 30)
        for number in range(6):
            down = 0.13 + start + tilt + number * 1.12 * step
            fall = rng.uniform(0.26, 0.31)
            line = [_at(field, lung, a, down + fall * (0.15 + a) ** 0.9) for a in across]
            _band(drawn, np.array(line), 0.034 * field.size, 0.55 * strength, fades=True)
    lungs = np.maximum(field.mask("right"), field.mask("left"))
    return drawn * (0.25 + 0.75 * blurred(lungs, 4))


def _rib(field: Field, lung: str, across: float, down: float, slope: float, number: int) -> np.ndarray:
    lateral = 1 - across
    return _at(
        field,
        lung,
        across,
        down + slope * (1.1 * lateral**2 - 0.35 * np.sin(np.pi * np.clip(lateral, 0, 1))) + 0.012 * number * lateral,
    )


def _at(field: Field, lung: str, across: float, down: float) -> np.ndarray:
    """As `place`, but at heights that are the same for both edges and go on beyond the lung."""
    outer, inner = (field.edges[edge] for edge in _EDGES[lung])
    top, bottom = outer[0, 1], outer[-1, 1]
    height = top + down * (bottom - top)
    ends = [np.interp(height, edge[:, 1], edge[:, 0]) for edge in (outer, inner)]
    widest = [outer[:, 0].min() if lung == "right" else outer[:, 0].max(), inner[HEIGHTS // 2, 0]]
    wall = 0.75 * ends[0] + 0.25 * widest[0]
    return np.array([wall + across * (ends[1] - wall), height])


def _band(film: np.ndarray, line: np.ndarray, width: float, strength: float, fades: bool = False) -> None:
    """Draw a hollow band along a line, brighter at its edges, below more than above."""
    body = stroke(film.shape, line, max(1, round(width)))
    upper, lower = line.copy(), line.copy()
    upper[:, 1] -= width / 2
    lower[:, 1] += width / 2
    rims = np.zeros_like(film)
    for rim, weight in ((upper, 0.55), (lower, 0.9)):
        rims += weight * stroke(film.shape, rim)
    band = 0.75 * blurred(body, 1.6) + 0.75 * blurred(rims, 1.0)
    if fades:
        x = np.linspace(0, film.shape[1] - 1, film.shape[1])
        ends = sorted((line[0, 0], line[-1, 0]))
        shares = np.interp(x, ends, (1, 0.15) if line[0, 0] < line[-1, 0] else (0.15, 1))
        band *= shares[np.newaxis]
    film += strength * band


def vessels(field: Field, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Vessels that branch from each hilum and thin out towards the edge, to be added."""
    drawn, hila = np.zeros((field.size, field.size), np.uint8), np.zeros((field.size, field.size), np.float32)
    for lung, sign in (("right", -1), ("left", 1)):
        hilum = field.place(lung, 0.93, rng.uniform(0.44, 0.5))
        for angle in np.linspace(-1.25, 1.2, 8) + rng.normal(0, 0.2, 8):
            _branch(drawn, hilum, angle, sign, rng.uniform(3.0, 4.6) * field.size / 352, rng, 0)
        hila += 0.9 * field.blob(hilum, 0.035 * field.size, 0.06 * field.size, 0.3, rng)
    lungs = np.maximum(field.mask("right"), field.mask("left"))
    return strength * (blurred(drawn / 255, 0.8) + hila) * blurred(lungs, 3)


def _branch(film, at, angle: float, sign: int, width: float, rng: np.random.Generator, depth: int) -> None:
    """One vessel and those that leave it. angle: 0 goes straight outwards, above 0 downwards."""
    while width > 0.5:
        step = rng.uniform(5, 9) * film.shape[0] / 352
        to = at + step * np.array([sign * np.cos(angle), np.sin(angle)])
        ends = [tuple((8 * place).round().astype(int).tolist()) for place in (at, to)]
        cv2.line(film, *ends, round(255 * min(1, 0.25 + 0.18 * width)), max(1, round(width)), cv2.LINE_AA, 3)
        at, width, angle = to, width * rng.uniform(0.86, 0.95), angle + rng.normal(0, 0.2)
        if depth < 4 and rng.random() < 0.3:
            _branch(film, at, angle + rng.choice((-1, 1)) * rng.uniform(0.35, 0.7), sign, 0.75 * width, rng, depth + 1)


def pneumonia(film: np.ndarray, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Soft, patchy opacities in the middle and lower zones of one lung or both."""
    film = film.copy()
    lungs = ("right", "left") if rng.random() < 0.6 else (str(rng.choice(("right", "left"))),)
    for lung in lungs:
        inside = field.mask(lung)
        for _ in range(int(rng.integers(2, 5))):
            at = field.place(lung, rng.uniform(0.25, 0.85), rng.uniform(0.45, 0.85))
            patch = field.blob(at, *(rng.uniform(0.07, 0.14, 2) * field.size), 0.3, rng)
            film += rng.uniform(0.25, 0.5) * patch * inside * (1 + 0.1 * noise(field.size, 9, rng))
    return film


def tuberculosis(film: np.ndarray, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Ill-defined nodules and streaks in the upper zones, with a cavity in most films."""
    film = film.copy()
    main = str(rng.choice(("right", "left")))
    for lung in ("right", "left"):
        inside, count = field.mask(lung), int(rng.integers(14, 26) if lung == main else rng.integers(3, 12))
        for _ in range(count):
            at = field.place(lung, rng.uniform(0.15, 0.85), rng.uniform(0.08, 0.42))
            radius = rng.uniform(0.007, 0.02) * field.size
            film += rng.uniform(0.3, 0.7) * field.blob(at, radius, radius * rng.uniform(0.8, 1.4), 0.3, rng) * inside
        if lung == main:
            at = field.place(lung, rng.uniform(0.35, 0.6), rng.uniform(0.16, 0.3))
            film += rng.uniform(0.3, 0.6) * field.blob(at, 0.11 * field.size, 0.1 * field.size, 0.3, rng) * inside
            if rng.random() < 0.75:
                radius = rng.uniform(0.028, 0.045) * field.size
                wall = field.blob(at, 1.45 * radius, 1.35 * radius, 0.14, rng)
                hollow = field.blob(at, radius, 0.92 * radius, 0.12, rng)
                film += (0.65 * wall - 1.15 * hollow) * inside
    return film


def pneumothorax(film: np.ndarray, bare: np.ndarray, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Air beside a lung: its edge as a fine white line, and no markings beyond. bare: the film without vessels."""
    lung = str(rng.choice(("right", "left")))
    depth = rng.uniform(0.32, 0.5)
    inside = field.mask(lung)
    heights = np.linspace(-0.02, 0.93, 40)
    apex = rng.uniform(0.1, 0.18)
    line = []
    for down in heights:
        across = depth * (1.0 - 0.55 * down) * (1 + 0.06 * np.sin(7 * down + depth * 20))
        line.append(
            field.place(
                lung,
                min(across + 0.5 * max(0, apex - down) / apex, 1),
                max(down, 0) * 0.96 + apex * (1 - max(down, 0)) * 0.8,
            )
        )
    line = np.array(line, np.float32)
    outer = field.edges[_EDGES[lung][0]]
    away = outer + np.array([-40 if lung == "right" else 40, 0])
    top = np.array([[line[0, 0] + (60 if lung == "right" else -60), outer[0, 1] - 40], [away[0, 0], outer[0, 1] - 40]])
    air = cv2.fillPoly(np.zeros_like(film), [np.concatenate([line[::-1], top, away]).round().astype(np.int32)], 1)
    air = blurred(air, 1.0) * inside
    edge = stroke(film.shape, line)
    smooth = np.minimum(bare, blurred(bare, 3)) - rng.uniform(0.45, 0.65)
    return film * (1 - air) + smooth * air + 0.8 * blurred(edge, 0.9) * inside + 0.12 * inside * (1 - air)


def grain(film: np.ndarray, missing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise to be added, of the power that a film lacks at each radius of spatial frequency. missing: float (n,)."""
    size = len(film)
    y, x = np.indices((size, size)) - size // 2
    radius = np.minimum(np.hypot(x, y).astype(int), len(missing) - 1)
    white = np.fft.fftshift(np.fft.fft2(rng.normal(size=(size, size))))
    window = np.outer(np.hanning(size), np.hanning(size))
    # White noise under the window has the power sum(window²).
    shaped = white * np.sqrt(np.maximum(missing, 0)[radius] / (window**2).sum())
    return np.fft.ifft2(np.fft.ifftshift(shaped)).real.astype(np.float32)
