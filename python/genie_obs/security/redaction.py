"""Masks what identifies a person or gives access, in any text: e-mail addresses, phone numbers, keys, IBANs, card numbers.

Every pattern is bounded or anchored at the start of a word, so that the time grows only with the length of the text. Ids of
Databricks (32 hexadecimal digits, UUIDs, statement ids) and plain numbers in SQL stay as they are: card numbers and IBANs
are masked only if their checksum is right, phone numbers only in a form that people write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

EMAIL, PHONE, KEY, IBAN, CARD = "[email]", "[phone]", "[key]", "[iban]", "[card]"

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+&-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}")

# Shapes that their issuers document. A run without a bound is possessive (++): it is read once, without going back.
_KEYS = re.compile(
    r"""
      -----BEGIN\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY-----(?s:.*?)(?:-----END\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY-----|\Z)
    | (?<![\w=-])eyJ[\w=-]++\.[\w=-]++(?:\.[\w.+/=-]*+)?                                 # JSON web token
    | (?<!\w)(?:
        dapi[0-9a-f]{32}(?:-\d{1,3})? | dose[0-9a-f]{32} | dkea[0-9a-f]{32}              # Databricks
      | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}                                              # AWS
      | gh[pousr]_[A-Za-z0-9]{36,255} | github_pat_\w{22,255}                            # GitHub
      | gl(?:pat|dt|ft|rt|soat|cbt|ptt|agent)-[\w-]{20,255}                              # GitLab
      | xox[abeoprs]-[\w-]{10,255} | xapp-[\w-]{10,255}                                  # Slack
      | [rs]k_(?:live|test)_[A-Za-z0-9]{16,255} | whsec_[\w+/=]{20,255}                  # Stripe
      | AIza[\w-]{35} | ya29\.[\w-]{20,1024} | GOCSPX-[\w-]{20,64}                       # Google
      | sk-[\w-]{20,255}                                                                 # OpenAI, Anthropic
      | hf_[A-Za-z0-9]{30,64} | npm_[A-Za-z0-9]{36} | pypi-[\w-]{50,1024}                # registries
      | SG\.[\w-]{16,64}\.[\w-]{16,128}                                                  # SendGrid
    )(?![\w])
    | (?i:(?<!\w)(?:AccountKey|SharedAccessKey|SharedAccessSignature|sig)=)[\w+/%=-]{24,512}   # Azure
    | (?i:(?<!\w)Bearer\s{1,4})[\w.~+/=-]{16,4096}
    """,
    re.VERBOSE,
)
_URL_PASSWORD = re.compile(r"(?<=://)[^\s:/@'\"]{1,128}:[^\s/@'\"]{1,256}(?=@)")
# "password: x", "api_key = 'x'": only the value is masked, and only if it is quoted or cannot be a column's name.
_NAMED_SECRET = re.compile(
    r"""(?i:(?<![a-z0-9])(?:password|passwd|passphrase|pwd|secret|token|(?:api|access|account|private|client|secret)[_-]?(?:key|secret|token))
        [\"']?\s{0,4}(?:=|:|\bis\b)\s{0,4})
        (?:(?P<quote>['"])(?P<quoted>[^'"\n]{4,512})(?P=quote)|(?P<bare>(?=[^\s'"]{0,64}\d)(?=[^\s'"]{0,64}[A-Za-z])[^\s'",;()]{8,512}))""",
    re.VERBOSE,
)
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]")
_DIGIT_RUN = re.compile(r"(?<!\w)(?<!\d\.)\d++(?:[ \u00a0-]\d++)*+")
_PHONE_HINT = re.compile(r"\+ ?\(?\d|\d[ ()./-]{1,3}\d")
# A number with a country code and a gap after it is masked even if it is not valid: its last digits may not belong to it.
_INTERNATIONAL = re.compile(r"(?<!\w)[+\uff0b][1-9]\d{0,2}[ ()./\u00a0-]{1,3}\d[\d ()./\u00a0-]{5,18}\d")
_PLUS_BEFORE_PLUS = re.compile(r"[+\uff0b](?=[^\w]{0,3}[+\uff0b])")
_PHONE_SEPARATOR = re.compile(r"[ ()/.\u00a0-]")
_DATE_OR_NUMBER = re.compile(r"\d{4}-\d\d?-\d\d?\b.*|\d+[.,]\d+|\d{1,3}(?:\.\d{1,3}){3}")

# ISO 13616 registry, as of release 99: country and length of its IBANs.
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d{2})",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
        "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30",
    )
}
# Leading digits and lengths the card schemes use. A number of milliseconds since 1970 begins with 1 and is none of them.
_CARD_SHAPES = (
    (re.compile("4"), {13, 16, 19}),  # Visa
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),  # Mastercard
    (re.compile("3[47]"), {15}),  # American Express
    (re.compile("36|38|39|30[0-5]"), {14, 16, 19}),  # Diners
    (re.compile("35"), {16, 19}),  # JCB
    (re.compile("6011|64[4-9]|65"), {16, 19}),  # Discover
    (re.compile("62|81"), {16, 17, 18, 19}),  # UnionPay
    (re.compile("50|5[6-9]|6[0-9]"), {13, 14, 15, 16, 17, 18, 19}),  # Maestro
)
_LEAST_CARD_DIGITS, _MOST_CARD_DIGITS = 13, 19


class Redactor:
    """Masks one text after another; keeps nothing of them."""

    def __init__(self, phone_regions: Sequence[str] = ("US",)) -> None:
        # Imported only if a policy needs it, because it loads metadata of all countries.
        from phonenumbers import Leniency, PhoneNumberMatcher

        self._matcher = PhoneNumberMatcher
        self._leniency = Leniency.VALID
        self._phone_regions: tuple[str | None, ...] = tuple(phone_regions) or (None,)

    def mask(self, text: str) -> str:
        """Return the text with every e-mail address, phone number, key, IBAN and card number replaced by its kind."""
        text = _KEYS.sub(KEY, text)
        if "://" in text:
            text = _URL_PASSWORD.sub(KEY, text)
        text = _NAMED_SECRET.sub(_mask_named_secret, text)
        if "@" in text:
            text = _EMAIL.sub(EMAIL, text)
        text = _replace(text, _ibans(text), IBAN)
        text = _replace(text, _cards(text), CARD)
        if _PHONE_HINT.search(text):
            text = _INTERNATIONAL.sub(PHONE, text)
            for region in self._phone_regions:
                text = _replace(text, self._phones(text, region), PHONE)
        return text

    def mask_json(self, value: Any) -> Any:
        """Return a JSON value with every string in it masked, names of fields included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list):
            return [self.mask_json(item) for item in value]
        if isinstance(value, dict):
            return {self.mask(name): self.mask_json(item) for name, item in value.items()}
        return value

    def _phones(self, text: str, region: str | None) -> Iterator[tuple[int, int]]:
        # Two plus signs in a row hide the number from the matcher.
        text = _PLUS_BEFORE_PLUS.sub(";", text)
        # max_tries: by default the matcher gives up after 65,535 candidates, and what follows would stay readable.
        for match in self._matcher(text, region, leniency=self._leniency, max_tries=len(text) + 1):
            if _is_written_as_phone(text, match.start, match.raw_string):
                yield match.start, match.end


def _is_written_as_phone(text: str, start: int, raw: str) -> bool:
    """Say whether it is a phone number, and not an id, a date or an amount that could also be dialled."""
    if raw.startswith(("+", "\uff0b")):  # the second one is full-width
        return True
    before, after = text[max(0, start - 1) : start], text[start + len(raw) : start + len(raw) + 1]
    is_inside_word = before.isalnum() or before in {"_", "-", ".", "/"} or after.isalnum() or after in {"_", "-"}
    return not is_inside_word and bool(_PHONE_SEPARATOR.search(raw)) and not _DATE_OR_NUMBER.fullmatch(raw)


def _mask_named_secret(match: re.Match[str]) -> str:
    start, end = match.span("quoted" if match["quoted"] is not None else "bare")
    whole_start = match.start()
    return match.group()[: start - whole_start] + KEY + match.group()[end - whole_start :]


def _replace(text: str, spans: Iterator[tuple[int, int]], mask: str) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += (text[done:start], mask)
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for match in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(text[match.start() : match.start() + 2].upper())
        if length is None or match.start() < done:
            continue
        compact, end = _take_alphanumerics(text, match.start(), length)
        is_whole = len(compact) == length and not text[end : end + 1].isalnum()
        if is_whole and _is_iban(compact):
            yield match.start(), end
            done = end


def _take_alphanumerics(text: str, start: int, count: int) -> tuple[str, int]:
    """Return `count` letters and digits from a place on, without single blanks and hyphens between them, and where they end."""
    taken: list[str] = []
    at = start
    while len(taken) < count and at < len(text):
        if text[at].isascii() and text[at].isalnum():
            taken.append(text[at])
        elif text[at] not in " -\u00a0" or not text[at - 1].isalnum():
            break
        at += 1
    return "".join(taken), at


def _is_iban(compact: str) -> bool:
    """Check an IBAN's digits as ISO 7064 MOD 97-10 says."""
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for run in _DIGIT_RUN.finditer(text):
        if run.end() - run.start() < _LEAST_CARD_DIGITS:
            continue
        groups = list(re.finditer(r"\d+", run.group()))
        if text[run.end() : run.end() + 1].isalnum():
            groups.pop()  # the start of a word
        at = 0
        while at < len(groups):
            last = _card_from(groups, at)
            if last is None:
                at += 1
                continue
            yield run.start() + groups[at].start(), run.start() + groups[last].end()
            at = last + 1


def _card_from(groups: Sequence[re.Match[str]], first: int) -> int | None:
    """Return the last group of the longest card number that begins with the group `first`; None if there is none."""
    digits, found = "", None
    for at in range(first, len(groups)):
        digits += groups[at].group()
        if len(digits) > _MOST_CARD_DIGITS:
            break
        if len(digits) >= _LEAST_CARD_DIGITS and _is_card(digits):
            found = at
    return found


def _is_card(digits: str) -> bool:
    has_shape = any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _CARD_SHAPES)
    return has_shape and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(map(int, digits[-1::-2])) + sum(doubled)
