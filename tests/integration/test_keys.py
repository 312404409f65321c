"""Signing keys over time: rows are aged by SQL, so a month passes within a test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import jwt
import pytest

from config import Settings
from lti_tool import create_app, worker
from lti_tool.db import Database
from lti_tool.launch import key_rotation, keys
from lti_tool.secrets import app_secret
from lti_tool.worker import Workbench

SECRET = "a test's secret of more than thirty-two characters"
OTHER = "another secret of more than thirty-two characters"


def pass_time(database: Database, hours: float) -> None:
    with database.across_tenants() as connection:
        connection.execute("UPDATE tool_keys SET created_at = created_at - make_interval(secs => %s)", (hours * 3600,))


def signing(database: Database) -> str:
    with database.across_tenants() as connection:
        return keys.signing_key(connection, SECRET).kid


def published(database: Database) -> set[str]:
    with database.across_tenants() as connection:
        return {key["kid"] for key in keys.public_jwks(connection)["keys"]}


def rotated(database: Database) -> str:
    with database.across_tenants() as connection:
        return keys.rotate(connection, SECRET)


def rotated_if_due(database: Database, days: int = 30) -> str | None:
    with database.across_tenants() as connection:
        return keys.rotate_if_due(connection, SECRET, days=days)


def states(database: Database) -> dict[str, str]:
    with database.across_tenants() as connection:
        return {key.kid: key.state for key in keys.list_keys(connection)}


# Overlap ----------------------------------------------------------------------------------------------------------


def test_a_new_key_signs_after_a_day_and_the_old_one_stays_published_until_a_later_rotation(database: Database) -> None:
    old = signing(database)
    pass_time(database, 24 * 40)
    new = rotated(database)
    assert (signing(database), published(database)) == (old, {old, new})
    pass_time(database, 23)
    assert signing(database) == old
    pass_time(database, 1.1)
    assert (signing(database), published(database)) == (new, {old, new})
    pass_time(database, 24 * 30)
    newest = rotated(database)
    assert published(database) == {new, newest}


def test_whatever_was_signed_within_the_last_hour_can_be_verified_after_any_rotation(database: Database) -> None:
    signing(database)
    for hours in (0, 5, 24, 24.5, 3, 24.2, 0.1, 0.1, 700, 24.9, 26):
        pass_time(database, hours)
        with database.across_tenants() as connection:
            key = keys.signing_key(connection, SECRET)
            message = jwt.encode({"sub": "x"}, key.private_key, algorithm="RS256", headers={"kid": key.kid})
        rotated(database)
        with database.across_tenants() as connection:
            key_set = jwt.PyJWKSet.from_dict(keys.public_jwks(connection))
        assert jwt.decode(message, key_set[key.kid].key, algorithms=["RS256"]) == {"sub": "x"}
    assert len(published(database)) <= 4


def test_no_key_ever_signs_that_was_published_for_less_than_a_day_unless_it_is_the_first(database: Database) -> None:
    first = signing(database)
    seen = {first: 0.0}
    clock = 0.0
    for hours in (1, 10, 10, 4, 20, 24, 30, 2, 23, 25):
        pass_time(database, hours)
        clock += hours
        in_use = signing(database)
        assert in_use == first or clock - seen[in_use] >= 24
        seen[rotated(database)] = clock


def test_a_key_that_was_overtaken_before_it_signed_is_retired_at_once(database: Database) -> None:
    old = signing(database)
    pass_time(database, 100)
    overtaken, newest = rotated(database), rotated(database)
    assert states(database) == {newest: "NEXT", old: "SIGNING"}
    assert overtaken not in published(database)


def test_the_list_says_what_each_key_is_for(database: Database) -> None:
    old = signing(database)
    pass_time(database, 24 * 31)
    new = rotated(database)
    assert states(database) == {new: "NEXT", old: "SIGNING"}
    pass_time(database, 25)
    assert states(database) == {new: "SIGNING", old: "EARLIER"}
    with database.across_tenants() as connection:
        newest, oldest = keys.list_keys(connection)
    assert (newest.age_days, oldest.age_days) == (1, 32)
    assert newest.signs_from < newest.created_at.replace(year=newest.created_at.year + 1)


# Schedule ---------------------------------------------------------------------------------------------------------


def test_the_schedule_rotates_once_the_newest_key_is_old_enough(database: Database) -> None:
    assert rotated_if_due(database) is None, "there is no key yet: the first use makes one"
    old = signing(database)
    pass_time(database, 24 * 29.9)
    assert rotated_if_due(database) is None
    pass_time(database, 24 * 0.2)
    new = rotated_if_due(database)
    assert states(database) == {new: "NEXT", old: "SIGNING"}
    assert rotated_if_due(database) is None


def test_zero_days_means_by_command_only(database: Database) -> None:
    signing(database)
    pass_time(database, 24 * 4000)
    assert rotated_if_due(database, days=0) is None


def test_processes_that_look_at_the_same_time_rotate_once(database: Database) -> None:
    signing(database)
    pass_time(database, 24 * 31)
    together = Barrier(4)

    def look(_: int) -> str | None:
        together.wait()
        return rotated_if_due(database)

    with ThreadPoolExecutor(4) as pool:
        made = [kid for kid in pool.map(look, range(4)) if kid]
    assert len(made) == 1
    assert len(published(database)) == 2


def test_the_workers_clock_asks_every_hour(settings: Settings, database: Database) -> None:
    schedule = worker.configure(settings).conf.beat_schedule["rotate-keys"]
    assert (schedule["task"], schedule["schedule"]) == (worker.ROTATE_KEYS, 3600.0)
    assert worker.celery.tasks[worker.ROTATE_KEYS].run == key_rotation.rotate_keys.run
    assert worker.celery.conf.task_routes[worker.ROTATE_KEYS] == {"queue": "deliver"}
    assert app_secret(settings) == SECRET
    old = signing(database)
    pass_time(database, 24 * 31)
    bench = Workbench(settings)
    try:
        new = key_rotation.rotate_on_schedule(bench)
        assert states(database) == {new: "NEXT", old: "SIGNING"}
        assert key_rotation.rotate_on_schedule(bench) is None
    finally:
        bench.database.close()


def test_a_lost_secret_does_not_break_the_workers_clock_nor_the_keys(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    old = signing(database)
    pass_time(database, 24 * 31)
    bench = Workbench(settings.model_copy(update={"secret_key": type(settings.secret_key)(OTHER)}))
    try:
        assert key_rotation.rotate_on_schedule(bench) is None
    finally:
        bench.database.close()
    assert published(database) == {old}


# Secrets ----------------------------------------------------------------------------------------------------------


def test_a_rotation_with_the_wrong_secret_is_refused_and_changes_nothing(database: Database) -> None:
    old = signing(database)
    pass_time(database, 48)
    with database.across_tenants() as connection, pytest.raises(keys.ToolKeyUnreadable, match="keys rotate --lost"):
        keys.rotate(connection, OTHER)
    assert states(database) == {old: "SIGNING"}


def test_a_tool_that_lost_its_secret_starts_anew_and_signs_at_once(database: Database) -> None:
    signing(database)
    pass_time(database, 48)
    rotated(database)
    with database.across_tenants() as connection:
        kid = keys.start_anew(connection, OTHER)
        assert keys.signing_key(connection, OTHER).kid == kid
    assert published(database) == {kid}


def test_another_secret_takes_over_all_published_keys(database: Database) -> None:
    old = signing(database)
    pass_time(database, 48)
    new = rotated(database)
    with database.across_tenants() as connection:
        assert keys.reencrypt(connection, old_secret=SECRET, new_secret=OTHER) == 2
        assert keys.signing_key(connection, OTHER).kid == old
        with pytest.raises(keys.ToolKeyUnreadable):
            keys.signing_key(connection, SECRET)
    pass_time(database, 25)
    with database.across_tenants() as connection:
        assert keys.signing_key(connection, OTHER).kid == new


def test_reencrypting_with_a_secret_that_never_fitted_changes_nothing(database: Database) -> None:
    signing(database)
    with pytest.raises(keys.ToolKeyUnreadable), database.across_tenants() as connection:
        keys.reencrypt(connection, old_secret=OTHER, new_secret="x" * 40)
    signing(database)


def test_a_loaded_key_is_kept_in_the_process_but_not_for_another_secret(database: Database) -> None:
    with database.across_tenants() as connection:
        first, second = keys.signing_key(connection, SECRET), keys.signing_key(connection, SECRET)
        assert first.private_key is second.private_key
        with pytest.raises(keys.ToolKeyUnreadable):
            keys.signing_key(connection, OTHER)


# The key set ------------------------------------------------------------------------------------------------------


def test_the_key_set_is_served_even_where_the_secret_was_lost_and_makes_no_key_twice(
    settings: Settings, database: Database
) -> None:
    old = signing(database)
    changed = settings.model_copy(update={"secret_key": type(settings.secret_key)(OTHER)})
    app = create_app(changed)
    try:
        for _ in range(2):
            response = app.test_client().get("/lti/jwks.json")
            assert response.status_code == 200
            assert [key["kid"] for key in response.get_json()["keys"]] == [old]
            assert response.headers["Cache-Control"] == "public, max-age=3600"
            assert "d" not in response.get_json()["keys"][0], "the private half stays here"
    finally:
        app.extensions["mlquiz"].database.close()


def test_the_key_set_does_not_wait_for_somebody_who_makes_a_key(database: Database, settings: Settings) -> None:
    signing(database)
    app = create_app(settings)
    try:
        with database.across_tenants() as connection:
            keys.rotate(connection, SECRET)  # holds the lock until the end of the block
            assert app.test_client().get("/lti/jwks.json").status_code == 200
    finally:
        app.extensions["mlquiz"].database.close()


def test_two_hundred_messages_signed_while_keys_rotate_can_all_be_verified(
    database: Database, settings: Settings
) -> None:
    signing(database)
    pass_time(database, 24 * 40)
    app = create_app(settings)
    used: set[str] = set()

    def sign_and_verify(number: int) -> bool:
        with database.across_tenants() as connection:
            key = keys.signing_key(connection, SECRET)
        message = jwt.encode({"sub": str(number)}, key.private_key, algorithm="RS256", headers={"kid": key.kid})
        used.add(key.kid)
        fetched = jwt.PyJWKSet.from_dict(app.test_client().get("/lti/jwks.json").get_json())
        return jwt.decode(message, fetched[key.kid].key, algorithms=["RS256"])["sub"] == str(number)

    try:
        with ThreadPoolExecutor(6) as pool:
            verified = []
            # Overlap: whoever signed with the old key a moment ago is still believed after the new one took over.
            for batch, hours in enumerate((0, 24.1, 0.5, 0.1)):
                verified += [pool.submit(sign_and_verify, 50 * batch + number) for number in range(50)]
                pass_time(database, hours)
                rotated(database)
            assert all(each.result() for each in verified)
    finally:
        app.extensions["mlquiz"].database.close()
    assert signing(database) in used
