"""The text of an access key: `tm_<id>_<secret>`, the secret 256 random bits and a checksum."""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Self

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12
_SECRET_LENGTH = 43  # 62**43 > 2**256
_CHECKSUM_LENGTH = 6  # 62**6 > 2**32

_KEY = re.compile(r"(tm_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})")


class MistypedKey(ValueError):
    """Text that was never a key: cut off, or mistyped. Its checksum shows that without a look-up."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key as its holder has it. Printing and logging hide the secret; `text` contains it."""

    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, key_id: str | None = None) -> Self:
        """A new secret, for a new key unless `key_id` names one."""
        return cls(key_id or _random_id(), _in_base_62(secrets.randbits(256), _SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a key. Raises MistypedKey."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise MistypedKey("an access key is tm_, 12 letters or digits, _, and 49 letters or digits")
        body, key_id, secret, checksum = found.groups()
        if checksum != _checksum(body):
            raise MistypedKey("the access key is mistyped: its checksum does not match; copy it again")
        return cls(key_id, secret)

    @property
    def text(self) -> str:
        """The credential after `Bearer`. Returned once on creation, never stored."""
        body = f"tm_{self.key_id}_{self.secret}"
        return body + _checksum(body)

    @property
    def sha256(self) -> str:
        """The stored hash. A plain SHA-256 resists guessing, because the secret is 256 random bits and not a password."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def _random_id() -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(_ID_LENGTH))


def _checksum(body: str) -> str:
    return _in_base_62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _in_base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
