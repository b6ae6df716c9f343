"""Text messages in parts: GSM 03.38 where it suffices, UCS-2 elsewhere, no character torn apart."""

from dataclasses import dataclass

GSM_CODING, UCS2_CODING = 0, 8
"""SMPP 3.4, 5.2.19."""

# 3GPP TS 23.038, 6.2.1. A septet travels as an octet.
_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
    "|": 0x40, "€": 0x65,
}  # fmt: skip
_GSM = {character: bytes((octet,)) for octet, character in enumerate(_ALPHABET)} | {
    character: bytes((0x1B, octet)) for character, octet in _EXTENSION.items()
}
_GSM.pop("\x1b")

_SINGLE = {GSM_CODING: 160, UCS2_CODING: 140}
_PART = {GSM_CODING: 153, UCS2_CODING: 134}
"""Octets in a message of one part, and in each part of a longer one, which has a header of six."""
MOST_PARTS = 255


@dataclass(frozen=True, slots=True)
class Parts:
    """The octets of each part, header included, and how they are coded."""

    coding: int
    octets: tuple[bytes, ...]

    @property
    def concatenated(self) -> bool:
        """Whether the parts begin with a header that says how they belong together."""
        return len(self.octets) > 1


def parts(text: str, reference: int) -> Parts:
    """The text in parts. ``reference`` (0 to 255) tells one long message from the next.

    ValueError when it needs more than 255 parts.
    """
    characters = [_GSM.get(character) for character in text]
    if all(characters):
        coding, octets = GSM_CODING, [octet for octet in characters if octet]
    else:
        coding = UCS2_CODING
        octets = [character.encode("utf-16-be", "replace") for character in text]
    whole = b"".join(octets)
    if len(whole) <= _SINGLE[coding]:
        return Parts(coding, (whole,))
    chunks = _chunks(octets, _PART[coding])
    if len(chunks) > MOST_PARTS:
        raise ValueError("The text is too long for a text message.")
    head = bytes((5, 0, 3, reference & 0xFF, len(chunks)))
    return Parts(
        coding, tuple(head + bytes((n,)) + chunk for n, chunk in enumerate(chunks, start=1))
    )


def _chunks(octets: list[bytes], size: int) -> list[bytes]:
    found, chunk = [], b""
    for character in octets:
        if len(chunk) + len(character) > size:
            found.append(chunk)
            chunk = b""
        chunk += character
    return [*found, chunk]
