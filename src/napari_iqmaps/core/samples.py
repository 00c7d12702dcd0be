"""Pictures to try things on, made from the images that scikit-image installs: nothing is downloaded."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .display import srgb_decoded

Pixels = npt.NDArray[np.uint8]
Light = npt.NDArray[np.float32]

_TEXT = "iqmaps"
_MESSAGE = "see me?"
_MESSAGE_AT = ((40, 300), (376, 346))

_HIDDEN = (
    "c-rlli<09g3`KpR|NomeegG24c1*HWld5wv)tR^npvM)Wm*t;8O501zZ}Qsvi}lBET2OYszWt&FTk5=C+T-wp22{7}hh<QcNi!8-ECEM26_3?PDx"
    "^BZ%CjG?bGfdQKR3GQ$9y*wm8AOk!~iX2h{}`g)1cVcgqb>2cW>7TA1>9-lV!HY?VClFXRh&fmC#J=zc^Vn@NI{7@fwhQV<)H4K77lf<AWQm8r2|"
    ">X)XYYHlo2mo7pD@m?5qrHZM3u^pm7;)_d7s8>JQu|1@1@a0`Z;&`<3XM#e+Wnvm<DR6W}1!^Qd-rNK=a^t@dA<dFtW4M;(Sj<Pk5oHf^1VCMzRw"
    "h?2sEQO}Ml{~h!DOk=KkemUBbKR^yNRt7m$BNmJ-)0e`hQ+V7<8rL(Nd4qS(eq72J)oLeM_&&QLk%d-ZySMhddPg*P_;yjit!sI`l$wP%i-ja5C>"
    "CwX26*S^x#06JQL2_lt%_c8j$|acK<riZ}chm8d$!6VNnqD&e>8_r~@0jvs$AD_FnsPlF93w??hV1C9`eQg(}R2dkq|i%(3FB=%3yOhNf4(*eSR<"
    "q+0_b4YczlYO^($LSc`uc4~DkTv>ch1O1Bn>@sPm96F-#PPzMDv9r?cIbe>QE(hmYQ2+n{000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000fPWjMlygebZ*D)"
    "mw!gk!|9;W}mEETwwLq`UzmiAVO!z?yTIO%2{Ir;-a!6|lNL>loALca3ZHsce$T~~;rpy<5r|y~!CwWQXu>m<3{g~~hDyn2_T^TzV)(oiM)c$1ql"
    "zJcJINdd&fn!Je+vP*GVi&LT`n^*9X4?FDe3DHPJ0yzX(+Y67a}9l)=h$H~i*HNoh(xr|ZeS`A+zcwk#kyvFcm#Pk&1M1+_@T|CDy!8Nn@oyQs1D"
    "gwmHRpDe-~?4b-;`Q6l_E;FUA6)C<Mvv&Um3^hAWeu7jo(hdhZk;4Ulp5Zej_GS6i4uc0d|ZTi)sJ(-4rS8aVN8Su^<x9Yxz3;Cx-p?b6<QN|SBG"
    "UK(9wTVGP%%G$Ozg{fx^F#D+nxLJKM%g+mt&DLy$>$mAjdRSiLBIxq4j81L>TP&7O`Z#Hyvc)-%z8)UtYdu--su|#RZ@utoBf1)KOmTin-M01i!1"
    "5Z%V-dP2ebc#=0;Rp*rQB=a!V6z9V2@~6BKrz>-pn;?#&V;RF6wLdihO#wZNJrnGbMF}?K_zsEUK}LC*M;YeXo2A90dGc1AVvfg-iV3{<i?_2SPH"
    "<=+<#<&AnQybzB9`dZ9ZF9K~$w2p2hnXEpGb|8gabjlca%fv=?L<{U^lJaT;{)yHMDp2R-I+pQyKcV(@Mrzs7XTSe}>!)bM_eeZCPE51|e>Q4EF2"
    "Fk@F^?$`Ocd`EfUTYFC"
)
"""What `hide` adds to the photograph for the message at strength 1: code values of rows 53 to 414, columns 315 to 507.

uint8, compressed (zlib), as text (base 85). To make it takes a network and seconds. A test compares it with what `hide`
gives, and prints what belongs here.
"""
_HIDDEN_BOX = slice(53, 415), slice(315, 508)

_HORSE = (8, 60, 320)
"""First row, first column and side of what is seen of ``skimage.data.horse``."""
_HORSE_SIDE = 32
_SKY, _MEADOW, _COAT = (160, 202, 231), (140, 137, 93), (102, 55, 61)
_HORIZON, _HAZE = 130, 10.0  # row, and pixels over which it is blurred
_SHADE = 0.4  # by which the coat is lighter at the top than at the bottom

_LAMPS = ((350, 82), (377, 151), (394, 192), (417, 111), (397, 364), (394, 433), (420, 450))
"""Rows and columns of the flood lights in ``skimage.data.rocket``."""

_LAMP_PEAK = 8000.0  # cd/m2
_LAMP_RADIUS = 1.5  # pixels
_LAMP_COLOUR = (1.0, 0.85, 0.6)
_BANDED_RANGE = (0.01, 10_000.0)  # cd/m2 of the first and the last code of a banded copy


DISTORTED: Mapping[str, tuple[str, str, float]] = MappingProxyType(
    {
        "jpeg": ("astronaut", "jpeg", 4),
        "blurred": ("chelsea", "gaussian_blur", 3),
        "noisy": ("coffee", "gaussian_noise", 3),
        "denoised": ("immunohistochemistry", "denoised", 3),
    }
)
"""Of `distorted`: the image in ``skimage.data``, the distortion and its severity."""


def photo() -> Pixels:
    """Give a photograph with a smooth sky and textured grass, uint8 ``(512, 512)``: ``skimage.data.camera``."""
    return bundled("camera")


def photo_with_mark(amplitude: float = 8.0) -> Pixels:
    """Give the photograph with the same faint text written all over it.

    The amplitude is in code values inside the letters; as much in the sky, where it shows, as in the grass, where it
    hides.
    """
    image = photo()
    return _rounded(image + amplitude * text_mark(image.shape))


def message() -> npt.NDArray[np.float32]:
    """Write the same message over the sky and over the grass of the photograph: 1 inside the letters, 0 outside."""
    from . import marks

    letters = marks.text_mark(_MESSAGE, height=26)
    sky, grass = (marks.place(letters, (512, 512), corner) for corner in _MESSAGE_AT)
    return np.maximum(sky, grass)


def message_at(amplitude: float) -> Pixels:
    """Give the photograph with the message of `message`, as strong in the sky as in the grass.

    The amplitude is in code values; what is no whole number is spread over neighbours, as `hide` does it.
    """
    from ._embedding import Carrier

    image = photo()
    marked: Pixels = Carrier(image, False, (0.0, 255.0), "dither").put(np.float32(amplitude) * message())[0]
    return marked


def hidden_message() -> Pixels:
    """Give the photograph with the message of `message` as `hide` hides it with its defaults, without computing it."""
    image = photo().copy()
    rows, columns = _HIDDEN_BOX
    change = np.frombuffer(zlib.decompress(base64.b85decode(_HIDDEN)), np.uint8)
    image[_HIDDEN_BOX] += change.reshape(rows.stop - rows.start, columns.stop - columns.start)
    return image


def horse() -> Pixels:
    """Give a small picture of a horse in a meadow, uint8 ``(32, 32, 3)``, of the kind that the default metrifier knows.

    ``skimage.data.horse`` is a silhouette; coat, meadow and sky are painted. The metrifier is sure of it: about .9.
    """
    import cv2

    is_around = bundled("horse") > 0
    rows = np.arange(is_around.shape[0])[:, np.newaxis, np.newaxis]
    around = np.where(rows < _HORIZON, _SKY, _MEADOW) + np.zeros((*is_around.shape, 1))
    around = cv2.GaussianBlur(around, (0, 0), _HAZE)
    shade = 1 + _SHADE * (0.5 - rows / is_around.shape[0])
    picture = np.where(is_around[..., np.newaxis], around, shade * _COAT)
    top, left, side = _HORSE
    seen = picture[top : top + side, left : left + side]
    return _rounded(cv2.resize(seen, (_HORSE_SIDE, _HORSE_SIDE), interpolation=cv2.INTER_AREA))


def distorted_pair(amplitude: float = 4.0, quality: int = 97) -> tuple[Pixels, Pixels]:
    """Give a distorted copy of the photograph, and the photograph: with a fainter mark, and JPEG-compressed."""
    return _jpeg(photo_with_mark(amplitude), quality), photo()


def distorted(name: str) -> tuple[Pixels, Pixels]:
    """Give an image with a distortion of the bank, and the image without; uint8 ``(height, width, 3)``.

    Three photographs, and a micrograph of tissue whose noise was taken away; 300 to 600 pixels a side.
    """
    from .distortions import distort

    image, distortion, severity = DISTORTED[name]
    reference = bundled(image)
    return distort(reference, distortion, severity, channel_axis=-1), reference


def micrograph() -> Pixels:
    """Give a microscopy image, uint8 ``(660, 550)``: one cell on an even background (``skimage.data.cell``)."""
    return bundled("cell")


def night_scene() -> Light:
    """Give a scene of high dynamic range: a launch pad at dusk, with its flood lights as bright as lamps are.

    float32 linear red, green and blue in cd/m2, ``(427, 640, 3)``: ``skimage.data.rocket`` on a display of 100 cd/m2,
    with lamps of 8,000 cd/m2 and their glow added where the photograph has flood lights.
    """
    light = 100 * srgb_decoded(bundled("rocket") / 255)
    rows, columns = np.ogrid[: light.shape[0], : light.shape[1]]
    for row, column in _LAMPS:
        distance = ((rows - row) ** 2 + (columns - column) ** 2) / _LAMP_RADIUS**2
        light += _LAMP_PEAK / (1 + distance[..., None]) ** 1.5 * np.array(_LAMP_COLOUR)
    return light.astype(np.float32)


def banded_pair(levels: int = 64) -> tuple[Light, Light]:
    """Give the night scene in too few steps of luminance, and the scene itself, in cd/m2.

    The steps are those of the logarithm of each colour between .01 and 10,000 cd/m2.
    """
    reference = night_scene()
    low, high = np.log(_BANDED_RANGE)
    step = (high - low) / (levels - 1)
    logarithm = np.log(np.clip(reference, *_BANDED_RANGE))
    return np.exp(low + np.rint((logarithm - low) / step) * step).astype(np.float32), reference


def text_mark(shape: tuple[int, ...], *, text: str = _TEXT) -> npt.NDArray[np.float32]:
    """Write a text in rows all over a plane: float32, 1 inside the letters, 0 outside, smooth at their edges."""
    import cv2

    height, width = shape
    plane = np.zeros((height, width), np.uint8)
    face, size, thickness = cv2.FONT_HERSHEY_SIMPLEX, 1.1, 3
    (word, rise), _ = cv2.getTextSize(text, face, size, thickness)
    for row, baseline in enumerate(range(2 * rise, height + rise, 3 * rise)):
        # Every other row starts half a word further left, as bricks do: no column stays without a letter.
        for left in range(-(row % 2) * word * 3 // 4, width, word * 3 // 2):
            cv2.putText(plane, text, (left, baseline), face, size, 255, thickness, cv2.LINE_AA)
    return plane.astype(np.float32) / np.float32(255)


def bundled(name: str) -> Pixels:
    """Give one of the images that scikit-image installs."""
    from skimage import data

    image: Pixels = getattr(data, name)()
    return image


def _jpeg(image: Pixels, quality: int) -> Pixels:
    import cv2

    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED), dtype=np.uint8)


def _rounded(values: npt.NDArray[Any]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


Matrix = npt.NDArray[np.float64]

_HEIGHT, _WIDTH = 400, 600
_MARGIN = 50  # of the photograph around the fixed frame: what a shaking camera sees besides
_SMALLER = 2  # a series is halved, so that its registration takes seconds
_SHAKE = 8.0  # pixels
_TURN, _ZOOM = 1.5, 0.02  # degrees, share
_FIRST_STEP, _WRONG_STEP = (4.0, 3.0), (10.0, 10.0)
_NOISE = 2.0
_DUSK = (0.52, 12.0)  # gain and offset that leave room for a lamp
_SEED = 6


@dataclass(frozen=True, eq=False)
class Trio:
    """A moving image, the same after a registration, and the fixed one, uint8 ``(400, 600)``.

    The registered one is 0 where the moving image does not reach; the matrix of the registration leads from ``(x, y)``
    of the moving image to the fixed one.
    """

    moving: Pixels
    registered: Pixels
    fixed: Pixels
    valid: npt.NDArray[np.bool_]
    matrix: Matrix


def relit_trio() -> Trio:
    """Give a correct registration of two frames of one scene under changed light.

    Between the frames the camera has turned by 1.5 degrees and moved, and a lamp has gone on: means over a fifth of the
    frame's sides differ by 20 to 100 code values, and nothing is saturated.
    """
    matrix = _motion((7.0, -5.0), turn=_TURN, zoom=1 + _ZOOM)
    return _registered(_lit(_frame(matrix), lamp=True), _lit(_frame(np.eye(3)), lamp=False), matrix)


def wrong_way_trio() -> Trio:
    """Give a registration that goes the wrong way: ten pixels down and to the right of where it began.

    The moving frame is 4 pixels to the right and 3 down of the fixed one; the registered one, 14 and 13.
    """
    apart = np.array(_FIRST_STEP)
    fixed, moving = _frame(np.eye(3)), _frame(_motion(tuple(-apart)))
    return _registered(moving, fixed, _motion(_WRONG_STEP))


def shaking_series(frames: int = 9) -> Pixels:
    """Give frames of a shaking camera in flickering light, uint8 ``(frames, 200, 300)``; the first is as the scene is.

    The others are moved by up to 4 pixels, turned by up to 1.5 degrees and zoomed by up to 2 %.
    """
    import cv2

    random = np.random.default_rng(_SEED)
    series = []
    for number in range(frames):
        shift = random.uniform(-_SHAKE, _SHAKE, 2)
        turn, zoom = random.uniform(-_TURN, _TURN), 1 + random.uniform(-_ZOOM, _ZOOM)
        gain, offset = random.uniform(0.75, 1.15), random.uniform(-12, 25)
        frame = _frame(_motion(tuple(shift), turn, zoom) if number else np.eye(3)).astype(np.float32)
        frame = frame * gain + offset if number else frame
        small = cv2.resize(frame, None, fx=1 / _SMALLER, fy=1 / _SMALLER, interpolation=cv2.INTER_AREA)
        series.append(_rounded(small + random.normal(0, _NOISE, small.shape)))
    return np.stack(series)


@cache
def _scene() -> Pixels:
    from skimage import data
    from skimage.color import rgb2gray

    return _rounded(rgb2gray(data.stereo_motorcycle()[0]) * 255)  # type: ignore[no-untyped-call]


def _frame(matrix: Matrix) -> Pixels:
    """Look at the scene through a camera that `matrix` brings back to the fixed frame."""
    from .registration.warp import warp_image

    to_fixed = _motion((-float(_MARGIN), -float(_MARGIN)))
    return warp_image(_scene(), np.linalg.inv(matrix) @ to_fixed, (_HEIGHT, _WIDTH))


def _registered(moving: Pixels, fixed: Pixels, matrix: Matrix) -> Trio:
    from .registration.warp import valid_pixels, warp_image

    valid = valid_pixels(matrix, moving.shape, fixed.shape)
    return Trio(moving, warp_image(moving, matrix, fixed.shape, valid=valid), fixed, valid, matrix)


def _lit(frame: Pixels, *, lamp: bool) -> Pixels:
    """Show a frame at dusk, or with a lamp on that reaches everywhere, most of all the left."""
    height, width = frame.shape
    x = np.linspace(0, 1, width)[np.newaxis, :]
    y = np.linspace(0, 1, height)[:, np.newaxis]
    light = 20 + 85 * np.exp(-((x - 0.25) ** 2 + (y - 0.5) ** 2) / 0.25) if lamp else 0.0
    noise = np.random.default_rng(_SEED + lamp).normal(0, _NOISE, frame.shape)
    return _rounded(_DUSK[0] * frame + _DUSK[1] + light + noise)


def _motion(shift: tuple[float, ...], turn: float = 0.0, zoom: float = 1.0) -> Matrix:
    """Turn and zoom about the middle of a frame, then shift by ``(x, y)``."""
    cosine, sine = zoom * math.cos(math.radians(turn)), zoom * math.sin(math.radians(turn))
    linear = np.array([(cosine, -sine), (sine, cosine)])
    middle = np.array([(_WIDTH - 1) / 2, (_HEIGHT - 1) / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - linear @ middle + np.array(shift)
    return matrix
