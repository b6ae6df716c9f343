"""Phone numbers and e-mail addresses: what people type into the one form that is stored."""

import unicodedata
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

# Longer than any number with its extension; keeps pasted pages out of the message and the parser.
_LONGEST_PHONE = 50
# Signs that input methods of East Asia leave where a hyphen is meant; NFKC knows the others.
_HYPHENS = str.maketrans("ー〜ｰ―—–‐‑−", "-" * 9)
# A number may be valid without a text ever arriving: 1588-1234 in Korea, 0120 in Japan, a desk.
_TEXTABLE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


@dataclass(frozen=True, slots=True)
class Phone:
    """A valid number: as E.164, as people of its region write it, and where that is.

    ``textable`` says whether a text message may reach it.  ``region`` is ISO 3166 alpha-2, or
    ``001`` of a number that belongs to no country.
    """

    e164: str
    national: str
    textable: bool
    region: str


def phone(raw: str, region: str) -> Phone:
    """The number that was typed; ``region`` counts when it names no country itself.

    Full-width digits, brackets and a trunk zero after the country code (+82 010-…) are understood.
    ValueError, in a sentence for the person who typed, if it is not a number in use there.
    """
    typed = unicodedata.normalize("NFKC", raw.translate(_HYPHENS)).strip()
    if not typed or len(typed) > _LONGEST_PHONE:
        raise ValueError("A phone number has between 3 and 15 digits.")
    try:
        number = phonenumbers.parse(typed, region)
    except NumberParseException as error:
        raise ValueError(f"“{typed}” is not a phone number.") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(f"“{typed}” is not a phone number in use; is its country right?")
    return Phone(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        national=phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        textable=phonenumbers.number_type(number) in _TEXTABLE,
        region=phonenumbers.region_code_for_number(number) or "001",
    )


def email(raw: str) -> str:
    """The address in the form in which it is stored and compared: half-width and lower-case.

    Only its shape is checked, nothing is asked of DNS.  Lower-case also before the ``@``: mail
    systems in use make no difference there, and a withdrawal must stop every spelling.
    ValueError, in a sentence for the person who typed, if no mail could be sent to it.
    """
    typed = unicodedata.normalize("NFKC", raw).strip()
    try:
        # Letters beyond ASCII before the @ need SMTPUTF8 all the way to the receiver.
        checked = validate_email(typed, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return checked.normalized.lower()
