"""What light a value stands for, and which code value the networks read for it.

The networks know one scale: 8-bit sRGB code values, 0..255, on which they were trained. Values of higher range join it
at white: below `SDR_WHITE` the scale is the sRGB code itself, above it a perceptually uniform encoding goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .arguments import checked
from .arrays import numbers
from .errors import InputError

Luminance = Literal["code", "absolute"]
Encoding = Literal["pu21", "pq"]

WHITE = 255.0
"""Code value of the top of the value range, and of `SDR_WHITE`."""

SDR_WHITE = 100.0
"""Luminance in cd/m2 of the white of standard dynamic range; there the code value is 255."""

PEAK = 10_000.0
"""Highest luminance in cd/m2 that the encodings know; what is brighter is taken for it."""

DARKEST = 0.005
"""Lowest luminance in cd/m2 that PU21 knows."""

_PU21 = (0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142)
_PQ_EXPONENTS = (2610 / 16384, 2523 / 32)
_PQ_FACTORS = (3424 / 4096, 2413 / 128, 2392 / 128)

_FAR = 1000  # times its width: a range at this distance from 0 keeps four digits of float32

Values = npt.NDArray[np.float64]


@checked
def pu21(luminance: npt.ArrayLike) -> Values:
    """Encode luminance in the perceptually uniform values of PU21.

    Parameters
    ----------
    luminance : array_like
        cd/m2, any shape; clipped to .005..10,000, NaN stays NaN.

    Returns
    -------
    numpy.ndarray
        float64, 0 (at .005 cd/m2) over 256.4 (at 100) to 595.4 (at 10,000): equal steps are seen about equally well.

    Notes
    -----
    The variant "banding_glare", which its authors recommend.

    References
    ----------
    .. [1] R. K. Mantiuk, M. Azimi, "PU21: A novel perceptually uniform encoding for adapting existing quality metrics
       for HDR", Picture Coding Symposium 2021.
    """
    p1, p2, p3, p4, p5, p6, p7 = _PU21
    powers = np.clip(numbers(luminance, "luminance"), DARKEST, PEAK) ** p4
    return np.asarray(p7 * (((p1 + p2 * powers) / (1 + p3 * powers)) ** p5 - p6))


@checked
def pq(luminance: npt.ArrayLike) -> Values:
    """Encode luminance in the perceptual quantizer (PQ) of HDR video.

    Parameters
    ----------
    luminance : array_like
        cd/m2, any shape; clipped to 0..10,000, NaN stays NaN.

    Returns
    -------
    numpy.ndarray
        float64, 0 to 1 (at 10,000 cd/m2); .508 at 100.

    References
    ----------
    .. [1] SMPTE ST 2084:2014, the inverse of its electro-optical transfer function; also Rec. ITU-R BT.2100.
    """
    (m1, m2), (c1, c2, c3) = _PQ_EXPONENTS, _PQ_FACTORS
    powers = (np.clip(numbers(luminance, "luminance"), 0, PEAK) / PEAK) ** m1
    return np.asarray(((c1 + c2 * powers) / (1 + c3 * powers)) ** m2)


_ENCODINGS = {"pu21": pu21, "pq": pq}


def code_values(luminance: npt.ArrayLike, encoding: Encoding = "pu21") -> Values:
    """Give the code values, float64, that the networks read for luminances in cd/m2, which are clipped to 0..10,000.

    Up to 100 cd/m2 this is the sRGB code of luminance / 100, 0..255. Above, it is ``255 V(luminance) / V(100)`` with V
    the encoding, up to 592 (PU21) or 502 (PQ) at 10,000; both give 255 at 100, so the scale has no step, and it rises
    everywhere.

    Deviation from feeding V itself to the metric, as PU21 is meant: scaled to 255 at white, V lies up to 36 (PU21, at
    17 cd/m2) or 62 (PQ, at 7 cd/m2) code values above the sRGB code, on which the networks learnt their thresholds. A
    photograph would get other thresholds for being stated in cd/m2: by 5 % (PU21) or 7 % (PQ) on average, and by 16 %
    or 22 % at most (``benchmarks/hdr.py``). The price is a bend at white: code values rise by 1.12 per cd/m2 below it
    and by .65 (PU21) or .50 (PQ) above.
    """
    light = np.clip(np.asarray(luminance, np.float64), 0, PEAK)
    codes = np.asarray(WHITE * srgb_encoded(np.minimum(light, SDR_WHITE) / SDR_WHITE))
    bright = light > SDR_WHITE
    if bright.any():
        encode = _ENCODINGS[encoding]
        codes[bright] = WHITE * encode(light[bright]) / encode(SDR_WHITE)
    return codes


def light_of(code: float, encoding: Encoding = "pu21") -> float:
    """Give the luminance in cd/m2 that has a code value: the inverse of `code_values`, clipped to 0..10,000."""
    if code <= WHITE:
        return float(SDR_WHITE * srgb_decoded(np.array(max(code, 0.0) / WHITE)))
    value = min(code / WHITE * float(_ENCODINGS[encoding](SDR_WHITE)), float(_ENCODINGS[encoding](PEAK)))
    if encoding == "pq":
        (m1, m2), (c1, c2, c3) = _PQ_EXPONENTS, _PQ_FACTORS
        # SMPTE ST 2084, its electro-optical transfer function.
        power = value ** (1 / m2)
        return float(PEAK * (max(power - c1, 0.0) / (c2 - c3 * power)) ** (1 / m1))
    p1, p2, p3, p4, p5, p6, p7 = _PU21
    # V = p7 (x^p5 - p6) with x = (p1 + p2 y) / (1 + p3 y) and y = L^p4, solved for L.
    root = (value / p7 + p6) ** (1 / p5)
    return float(((root - p1) / (p2 - p3 * root)) ** (1 / p4))


@dataclass(frozen=True)
class Display:
    """What the values of an image mean as light, and how that light is encoded.

    Attributes
    ----------
    luminance : {"code", "absolute"}
        ``"code"``: values are display codes, gamma-coded as in an ordinary picture. ``"absolute"``: values are linear
        light in cd/m2.
    peak_luminance : float or None
        cd/m2 of the brightest pixel that the display shows. None: 10,000 for absolute values, where the encodings
        end; 100 for codes.
    black_level : float
        cd/m2 of the darkest pixel.
    encoding : {"pu21", "pq"}
        Of luminances above 100 cd/m2.
    """

    luminance: Luminance = "code"
    peak_luminance: float | None = None
    black_level: float = 0.0
    encoding: Encoding = "pu21"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("luminance", self.luminance, get_args(Luminance)),
            ("encoding", self.encoding, get_args(Encoding)),
        ):
            if value not in choices:
                raise InputError(f"{name} is {value!r}; choose one of {', '.join(map(repr, choices))}.")
        if not _is_number(self.black_level) or self.black_level < 0:
            raise InputError(f"black_level is {self.black_level!r}; give the display's black in cd/m2, 0 or more.")
        if self.peak_luminance is not None and not (
            _is_number(self.peak_luminance) and 0 < self.peak_luminance <= PEAK
        ):
            raise InputError(
                f"peak_luminance is {self.peak_luminance!r}; give the display's white in cd/m2, above 0 and up to "
                f"{PEAK:g}, where PU21 and PQ end."
            )
        if self.black_level >= self.peak:
            raise InputError(
                f"The black of the display ({self.black_level:g} cd/m2) is not below its peak ({self.peak:g} cd/m2). "
                "Lower black_level or raise peak_luminance."
            )

    @property
    def peak(self) -> float:
        """Luminance of the brightest pixel in cd/m2."""
        if self.peak_luminance is not None:
            return self.peak_luminance
        return PEAK if self.luminance == "absolute" else SDR_WHITE

    @property
    def is_plain(self) -> bool:
        """Whether values are the code values of the networks already, but for their range."""
        return self.luminance == "code" and self.peak_luminance is None and self.black_level == 0

    def codes(self, values: npt.NDArray[Any], data_range: tuple[float, float]) -> npt.NDArray[np.float32]:
        """Turn the values of one channel into the code values that the networks read, float32, NaN where not finite.

        Of absolute values `data_range` gives black and the diffuse white, which is shown at 100 cd/m2 and may be
        exceeded; (0, 100) means that values are cd/m2. What the display does not show is clipped.
        """
        if self.luminance == "absolute":
            light = _light(values, data_range, self.black_level, self.peak)
            return code_values(light, self.encoding).astype(np.float32)
        codes = _scaled(values, data_range)
        if self.is_plain:
            return codes
        light = self.black_level + (self.peak - self.black_level) * srgb_decoded(codes / np.float64(WHITE))
        return code_values(light, self.encoding).astype(np.float32)

    def record(self) -> dict[str, Any]:
        """Say what was used, for a map's info: luminances in cd/m2, where they play a part."""
        if self.is_plain:
            return {"luminance": self.luminance}
        return {
            "luminance": self.luminance,
            "peak_luminance": float(self.peak),
            "black_level": float(self.black_level),
            "encoding": self.encoding,
            "white_luminance": SDR_WHITE if self.luminance == "absolute" else float(self.peak),
        }


def _light(values: npt.NDArray[Any], data_range: tuple[float, float], black: float, peak: float) -> Values:
    low, high = data_range
    unit = (high - low) / SDR_WHITE
    holes = ~np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):  # what is wider than 64 bits may become infinite; it is clipped
        light = np.array(values, np.float64, order="C")
    # Clipped before it is scaled: 1e38 times anything may be more than a number can hold.
    np.clip(light, low + black * unit, low + peak * unit, out=light)
    light -= low
    light /= unit
    light[holes] = np.nan
    return light


def _scaled(values: npt.NDArray[Any], data_range: tuple[float, float]) -> npt.NDArray[np.float32]:
    low, high = data_range
    if values.dtype.str[1:] == "u1" and data_range == (0.0, WHITE):
        return values.astype(np.float32, order="C")  # what follows would give the same, in five passes
    # Up to 16 bits float32 is exact; wider numbers lose their offset unless it is subtracted in float64.
    # So does a range that lies far from 0 for its width.
    is_near = max(abs(low), abs(high)) <= _FAR * (high - low)
    exact = is_near and (values.dtype.itemsize <= 2 or values.dtype.str[1:] == "f4")
    holes = None if values.dtype.kind in "bui" else ~np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):  # 1e38 becomes infinite here, and is clipped
        scaled: npt.NDArray[Any] = np.array(values, dtype=np.float32 if exact else np.float64, order="C")
        scaled -= low
        # In this order both steps are exact for 8 and 16 bits, so that uint16 = 257 x uint8 gives the same numbers.
        scaled *= WHITE
        scaled /= high - low
    np.clip(scaled, 0, WHITE, out=scaled)
    result = scaled.astype(np.float32, copy=False)
    if holes is not None:
        result[holes] = np.nan
    return result


def srgb_encoded(linear: npt.NDArray[Any]) -> Values:
    """Encode linear light by the transfer function of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_decoded(coded: npt.NDArray[Any]) -> Values:
    """Decode sRGB values to linear light, the inverse of `srgb_encoded`."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]
