"""OpenCV's QR and barcode readers, with the enlarging and turning that small, slanted or too perfect codes need.

Knows pixels, no results and no skills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llavaplus_tools._backends.opencv import opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN = 24
"""White pixels around every view: the readers need a quiet zone, and cut-out codes have none."""

_LONGEST_SIDE = 3000
"""Pictures are not enlarged beyond this."""


class Code(NamedTuple):
    """What a code says, its kind (``QR_CODE``, ``EAN_13``, ...) and its corners (n x 2, pixels)."""

    text: str
    kind: str
    corners: NDArray[np.float64]


class _View(NamedTuple):
    """How a picture is looked at: enlarged, blurred (sigma in pixels), turned (degrees), dark and light swapped."""

    scale: float = 1
    blur: float = 0
    turn: float = 0
    negative: bool = False


# Chosen by trying 60 views on 144 barcodes of every size and slant: the barcode reader misses upright bars with hard
# edges at many sizes, and finds them turned and slightly blurred.
_ALWAYS = (_View(), _View(scale=2, blur=0.8, turn=30))
_WHEN_IN_DOUBT = (
    _View(scale=3),
    _View(scale=1, blur=1.5, turn=30),
    _View(scale=0.5, blur=0.8, turn=60),
    _View(scale=0.35, blur=0.8, turn=60),
    _View(negative=True),
    _View(scale=2, negative=True),
)


def read_codes_in(picture: NDArray[np.uint8]) -> list[Code]:
    """Reads QR codes and barcodes (EAN-8, EAN-13, UPC-A, UPC-E), in no particular order.

    Two views are always tried, the others only while nothing is read or something that was seen stays unread.

    Args:
        picture: height x width x 3, RGB.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    found: list[Code] = []
    for view in (*_ALWAYS, *_WHEN_IN_DOUBT):
        if view in _WHEN_IN_DOUBT and found and all(code.text for code in found):
            break
        if view.scale <= 1 or max(grey.shape) * view.scale <= _LONGEST_SIDE:
            found = _merged(found, _seen_in(grey, view))
    return [code for code in found if code.text]


def _merged(known: list[Code], seen: list[Code]) -> list[Code]:
    """All codes once: what was read replaces what was only seen at the same place."""
    kept = list(known)
    for code in sorted(seen, key=lambda code: not code.text):
        same = [other for other in kept if _same_place(code, other)]
        if not same:
            kept.append(code)
        elif code.text and not any(other.text for other in same):
            kept = [other for other in kept if not _same_place(code, other)] + [code]
    return kept


def _same_place(one: Code, other: Code) -> bool:
    """One's centre lies inside the other."""
    (x, y), (left, top), (right, bottom) = (
        one.corners.mean(axis=0),
        other.corners.min(axis=0),
        other.corners.max(axis=0),
    )
    return bool(left <= x <= right and top <= y <= bottom)


def _seen_in(grey: NDArray[np.uint8], view: _View) -> list[Code]:
    """Every code that a view shows; one that was seen but not read has an empty text."""
    import numpy as np

    cv2 = opencv()
    shown, matrix = _rendered(grey, view)
    back = cv2.invertAffineTransform(matrix)
    codes = []
    for text, kind, corners in (*_qr_codes(shown), *_barcodes(shown)):
        square = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
        codes.append(Code(text, kind, square @ back[:, :2].T + back[:, 2]))
    return codes


def _rendered(grey: NDArray[np.uint8], view: _View) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """What the view shows and the 2 x 3 matrix that leads from the picture into it."""
    cv2 = opencv()
    shown = 255 - grey if view.negative else grey
    if view.scale != 1:
        how = cv2.INTER_AREA if view.scale < 1 else cv2.INTER_CUBIC
        size = [max(1, round(side * view.scale)) for side in (grey.shape[1], grey.shape[0])]
        shown = cv2.resize(shown, size, interpolation=how)
    if view.blur:
        shown = cv2.GaussianBlur(shown, (0, 0), view.blur)
    height, width = shown.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), view.turn, 1)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    across, down = int(height * sine + width * cosine) + 2 * _MARGIN, int(height * cosine + width * sine) + 2 * _MARGIN
    matrix[:, 2] += (across - width) / 2, (down - height) / 2
    shown = cv2.warpAffine(shown, matrix, (across, down), borderValue=255)
    matrix[:, 0] *= width / grey.shape[1]
    matrix[:, 1] *= height / grey.shape[0]
    return shown, matrix


def _qr_codes(shown: NDArray[np.uint8]) -> list[tuple[str, str, Any]]:
    cv2 = opencv()
    try:
        _, texts, corners, _ = cv2.QRCodeDetectorAruco().detectAndDecodeMulti(shown)
    except cv2.error:  # assertions inside the reader fail on some patterns that are no codes
        return []
    return [(text, "QR_CODE", square) for text, square in zip(texts, corners, strict=True)] if texts else []


def _barcodes(shown: NDArray[np.uint8]) -> list[tuple[str, str, Any]]:
    cv2 = opencv()
    try:
        _, texts, kinds, corners = cv2.barcode.BarcodeDetector().detectAndDecodeWithType(shown)
    except cv2.error:  # as above
        return []
    return list(zip(texts, kinds, corners, strict=True)) if texts else []
