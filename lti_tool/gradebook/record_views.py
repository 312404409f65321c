"""The record of a placement as a file; that of one attempt is part of its page."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, cast
from uuid import UUID

from flask import Response
from flask.typing import ResponseReturnValue

from lti_tool.gradebook.record import iterate_record, list_placements
from lti_tool.gradebook.record_csv import write_heading, write_rows
from lti_tool.gradebook.views import blueprint, link_id_of
from lti_tool.launch.access import current_session, launch_transaction, with_session
from lti_tool.launch.roles import Role

_IN_MEMORY_BYTES = 2 * 1024 * 1024
_PIECE_BYTES = 64 * 1024


@blueprint.get("/results/record.csv")
@with_session(Role.INSTRUCTOR)
def record_csv(launch_id: UUID) -> ResponseReturnValue:
    """The whole record of this placement as CSV.

    It is written to a file first: whoever downloads slowly holds no connection to the database meanwhile.
    """
    # No with: it is closed at its end, or with a response that is given up before.
    file = cast(IO[bytes], SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115
    text = codecs.getwriter("utf-8")(file)
    with launch_transaction() as connection:
        (placement,) = list_placements(connection, link_id_of(current_session()))
        write_heading(text)  # pyright: ignore[reportArgumentType] - a stream of text in all that csv asks for
        write_rows(text, placement, iterate_record(connection, placement.id))  # pyright: ignore[reportArgumentType]
    size = file.tell()
    file.seek(0)
    response = Response(_pieces(file), mimetype="text/csv")
    response.call_on_close(file.close)
    response.content_length = size
    today = datetime.now(UTC).date().isoformat()
    response.headers["Content-Disposition"] = f'attachment; filename="record-{today}.csv"'
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
