"""What a text field holds by the look of its text."""

import re
from typing import Final

from sigma_env.simulation.schema import FieldKind, FieldSpec

_PATH: Final = re.compile(r"""(?:\\\\\?\\|\\\?\?\\)?[A-Za-z]:\\[^<>"|*?/:\x00-\x1f]*""")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_URL: Final = re.compile(r"https?://\S+")
_SID: Final = re.compile(r"S-1-5-21(-\d+){3,4}")


def kind_shown(spec: FieldSpec, natural: str) -> FieldKind:
    """The field's kind; of a field for any text, the kind that its natural text is of.

    Fields such as `Data` hold a path in one event and a sentence in another.
    """
    if spec.kind is not FieldKind.TEXT or len(natural) < 4:
        return spec.kind
    if _PATH.fullmatch(natural):
        return FieldKind.FILE
    if _URL.fullmatch(natural):
        return FieldKind.URL
    if _ADDRESS.fullmatch(natural):
        return FieldKind.IP
    return FieldKind.SID if _SID.fullmatch(natural) else FieldKind.TEXT
