"""The value of an active route in a query: one JSON object of the columns that are named like its attributes."""

import msgspec

from data_plane.domain.active_value import ATTRIBUTES, ActiveValue

_COLUMNS = ", ".join(f"'{name}', endpoints.{name}" for name in ATTRIBUTES)
VALUE = f"json_build_object({_COLUMNS})"
"""An expression over a row of `endpoints`."""

decode_value = msgspec.json.Decoder(ActiveValue).decode
