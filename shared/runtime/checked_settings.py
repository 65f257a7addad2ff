"""Settings from environment variables, of which no value is usable in form only."""

from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LARGEST_NUMBER = 2**31 - 1
"""Larger numbers exceed what servers and drivers take; as seconds or bytes, they mean an error of the unit."""
_LONGEST_TEXT = 16_384


class CheckedSettings(BaseSettings):
    """Refuses values that would fail later, without the name of the setting.

    These are empty values where the default is none (an empty path would be the working directory), text that is not
    printable, numbers that are infinite or too large, and empty lists.
    """

    model_config = SettingsConfigDict(
        env_prefix="TM_", extra="ignore", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: object, field: ValidationInfo) -> object:
        if isinstance(value, str):
            if not value.strip() and not (value == "" and cls._may_be_empty(field)):
                raise ValueError("must not be empty; unset it for the default")
            if not value.isprintable() or len(value) > _LONGEST_TEXT:
                raise ValueError(f"must be at most {_LONGEST_TEXT} printable characters")
        return value

    @field_validator("*")
    @classmethod
    def _is_usable(cls, value: object, field: ValidationInfo) -> object:
        if isinstance(value, int | float) and value > _LARGEST_NUMBER:
            raise ValueError(f"must be at most {_LARGEST_NUMBER}")
        if value == () and not cls._may_be_empty(field):
            raise ValueError("must name at least one; unset it for the default")
        return value

    @classmethod
    def _may_be_empty(cls, field: ValidationInfo) -> bool:
        return field.field_name is not None and cls.model_fields[field.field_name].default in ("", ())
