"""Schedules, held against Celery's own: thousands of generated cases.

Every case is a crontab, a zone, the time of the last run and the present one, many of
them around changes of the clocks. Answers have to be equal, but for the four kinds of
cases below, all of them Celery's faults. None is taken on trust: for the first two Celery
is asked again without the defect, for the others the zone has to say what the reason
claims. And whatever the reason, our due time has to be the one that a search finds which
shares nothing with either: it tries one minute after another (`first_due`).

* `midnight`: Celery takes the first instant of a day for midnight in UTC, and west of
  Greenwich forgets days of the month.
* `yesterday`: Celery forgets what was due in the hour of the last run once the day has
  changed.
* `offset`: the offset changes until the due time. Celery counts the hours between two
  wall clocks, we those that pass.
* `clocks`: a due time or the last run lies at a change of the clocks. Crontabs of
  every hour count hours as they pass; for Celery's one hour is missing or too long.
"""

import json
import math
import os
import random
import subprocess
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import ephem
import pytest
import pytz
from celery import Celery
from celery.schedules import crontab, schedule, solar

CASES = 6_000
SEED = int(os.environ.get("UMBEL_TEST_SEED", "20261124"))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Auckland",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Europe/Dublin",
    "Pacific/Honolulu",
]

WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "Sunday", "friday"]


class GoodCrontab(crontab):
    """Celery's without its two defects."""

    def maybe_make_aware(self, dt):
        if dt.tzinfo is None:
            return pytz.utc.localize(dt) if self.tz is pytz.utc else self.tz.localize(dt)
        return dt

    def due_at(self, last_run):
        """The wall clock at the due time, found on the day of the last run."""
        present, self.nowfun = self.nowfun, lambda: last_run
        start, delta, _ = self.remaining_delta(last_run)
        self.nowfun = present
        return (start + delta).replace(tzinfo=None)


def field(rng, low, high, names=()):
    def number():
        return str(rng.randint(low, high))

    def part():
        kind = rng.randrange(6)
        if kind == 0:
            return f"*/{rng.randint(1, high + 2)}"
        if kind == 1:
            return f"{number()}-{number()}"
        if kind == 2:
            return f"{number()}-{number()}/{rng.randint(1, 9)}"
        if names and kind == 3:
            return rng.choice(names)
        if names and kind == 4:
            return f"{rng.choice(names)}-{rng.choice(names)}"
        return number()

    return ",".join(part() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def expression(rng):
    def maybe(weight, *args):
        return field(rng, *args) if rng.random() < weight else "*"

    return {
        "minute": maybe(0.8, 0, 59),
        "hour": maybe(0.6, 0, 23),
        "day_of_week": maybe(0.3, 0, 6, WEEKDAYS),
        "day_of_month": maybe(0.3, 1, 31),
        "month_of_year": maybe(0.2, 1, 12),
    }


def instant(rng, zone):
    """Half of them around a change of the clocks, some at a leap day."""
    changes = [
        x for x in getattr(zone, "_utc_transition_times", []) if 2005 <= x.year <= 2036
    ]
    kind = rng.random()
    if changes and kind < 0.5:
        base = pytz.utc.localize(rng.choice(changes))
        return base + timedelta(seconds=rng.randint(-100_000, 50_000))
    if kind < 0.6:
        year = rng.choice([2008, 2024, 2027, 2028, 2032])
        return datetime(year, 2, 28, tzinfo=pytz.utc) + timedelta(
            seconds=rng.randint(0, 200_000)
        )
    return datetime(2005, 1, 1, tzinfo=pytz.utc) + timedelta(
        seconds=rng.randint(0, 31 * 365 * 86_400)
    )


def microseconds(t):
    return (t - EPOCH) // timedelta(microseconds=1)


def ask(questions):
    program = Path(os.environ["UMBEL_BUILD_DIR"]) / "tests/system/schedule_answers"
    done = subprocess.run(
        [program],
        input="".join(json.dumps(x) + "\n" for x in questions),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(x) for x in done.stdout.splitlines()]


def question(spec, zone, last_run, now, relative=False, deadline=None):
    return {
        "schedule": spec,
        "zone": zone,
        "last_run": microseconds(last_run),
        "now": microseconds(now),
        "relative": relative,
        "deadline": deadline,
    }


def make_cases(rng):
    apps = {}
    for name in ZONES:
        apps[name] = Celery(set_as_current=False, timezone=name, broker="memory://")
    while True:
        name = rng.choice(ZONES)
        zone = pytz.timezone(name)
        spec = expression(rng)
        last_run = instant(rng, zone).replace(microsecond=rng.choice([0, 1, 999_999]))
        pause = rng.choice([30, 300, 3_600, 7_200, 86_400, 40 * 86_400])
        now = last_run + timedelta(seconds=rng.randint(0, pause))
        last_run, now = last_run.astimezone(zone), now.astimezone(zone)
        yield name, spec, last_run, now, apps[name]


def change_between(zone, begin, end):
    """The second at which the offset changes."""
    before = begin.astimezone(zone).utcoffset()
    while end - begin > timedelta(seconds=1):
        middle = begin + (end - begin) // 2
        if middle.astimezone(zone).utcoffset() == before:
            begin = middle
        else:
            end = middle
    return end.replace(microsecond=0)


def instants(zone, day, hours, minutes):
    """Those that a crontab names on a day, by the rule of protocol/schedule."""
    if len(hours) == 24:  # hours as they pass
        begin = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        for i in range(-15 * 60, 40 * 60):
            t = begin + timedelta(minutes=i)
            wall = t.astimezone(zone)
            if wall.date() == day and wall.minute in minutes:
                yield t
        return
    for hour in sorted(hours):
        for minute in sorted(minutes):
            wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            t = wall.astimezone(timezone.utc)
            if t.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
                around = timedelta(hours=26)  # Samoa has skipped a whole day
                t = change_between(zone, t - around, t)
            yield t


def first_due(spec, name, last_run):
    """Found by trying: slow, and plain."""
    zone, entry = ZoneInfo(name), crontab(**spec)
    last_minute = last_run.astimezone(zone).replace(second=0, microsecond=0)
    earliest = last_minute.astimezone(timezone.utc) + timedelta(minutes=1)
    day = last_minute.date() - timedelta(days=1)
    for _ in range(41 * 366):
        if (
            day.month in entry.month_of_year
            and day.day in entry.day_of_month
            and day.isoweekday() % 7 in entry.day_of_week
        ):
            found = [t for t in instants(zone, day, entry.hour, entry.minute)
                     if t >= earliest]
            if found:
                return min(found)
        day += timedelta(days=1)


def reason(case, theirs, answer):
    """Why the answers differ. Fails if there is no reason."""
    name, spec, last_run, now, app = case
    zone = pytz.timezone(name)
    due = (now + timedelta(microseconds=answer["remaining"])).astimezone(zone)
    assert due == first_due(spec, name, last_run), f"{case[:4]}: umbel {answer}"
    good = GoodCrontab(**spec, app=app, nowfun=lambda: now)
    wall = good.due_at(last_run)
    shown = due.replace(tzinfo=None)
    if shown == wall:
        if due.utcoffset() != now.utcoffset():
            return "offset"
        plain = crontab(**spec, app=app, nowfun=lambda: last_run)
        start, delta, _ = plain.remaining_delta(last_run)
        if (start + delta).replace(tzinfo=None) != wall:
            return "midnight"
        if last_run.date() != now.date():
            return "yesterday"
    changes = [pytz.utc.localize(x) for x in zone._utc_transition_times]
    times = (due, last_run, zone.localize(wall))
    near = any(abs(x - t) <= timedelta(hours=2) for x in changes for t in times)
    if due > last_run and shown != wall and near:
        return "clocks"
    raise AssertionError(f"{case[:4]}: Celery {theirs}, umbel {answer}, wall {wall}")


def test_crontabs_are_due_when_celerys_are():
    rng = random.Random(SEED)
    cases, expected = [], []
    for case in make_cases(rng):
        name, spec, last_run, now, app = case
        try:
            entry = crontab(**spec, app=app, nowfun=lambda: now)
            state = entry.is_due(last_run)
            remaining = entry.remaining_estimate(last_run)
        except RuntimeError:  # a day that never comes
            state = remaining = None
        cases.append(case)
        expected.append((state, remaining))
        if len(cases) == CASES:
            break
    answers = ask(question({"crontab": c[1]}, c[0], c[2], c[3]) for c in cases)
    kinds = Counter()
    for case, (state, remaining), answer in zip(cases, expected, answers, strict=True):
        if state is None:
            assert "error" in answer, f"seed {SEED}: {case[:4]}: {answer}"
            kinds["never"] += 1
            continue
        assert "error" not in answer, f"seed {SEED}: {case[:4]}: {answer}"
        rest = remaining // timedelta(microseconds=1)
        if (rest, state.is_due) == (answer["remaining"], answer["due"]) and (
            state.is_due or abs(state.next * 1e6 - answer["next"]) < 1
        ):
            kinds["equal"] += 1
        else:
            kinds[reason(case, (state, remaining), answer)] += 1
    print(dict(kinds))
    assert kinds["equal"] + kinds["never"] > CASES * 0.7


@pytest.mark.parametrize("relative", [False, True])
def test_intervals_are_due_when_celerys_are(relative):
    """In UTC: where clocks change, Celery's intervals are an hour off."""
    rng = random.Random(SEED)
    app = Celery(set_as_current=False, broker="memory://")
    questions, expected = [], []
    for _ in range(1_000):
        last_run = instant(rng, pytz.utc)
        now = last_run + timedelta(seconds=rng.randint(0, 100_000))
        every = rng.choice([0.5, 10, 60, 90, 3_600, 7_200, 86_400, 100_000])
        state = schedule(every, relative, nowfun=lambda: now, app=app).is_due(last_run)
        questions.append(question(every, "UTC", last_run, now, relative))
        expected.append(state)
    for q, state, answer in zip(questions, expected, ask(questions), strict=True):
        assert answer["due"] == state.is_due, q
        if not state.is_due:
            assert abs(answer["next"] - state.next * 1e6) < 1, q


def ephem_event(event, latitude, longitude, begin, higher=0.0):
    """As Celery asks PyEphem; None if the sun does not get there that day. `higher`
    moves the horizon, in degrees.

    Celery itself takes astronomical dusk for the sun 18 degrees above the horizon."""
    there = ephem.Observer()
    there.lat, there.lon = str(latitude), str(longitude)
    there.elevation = there.pressure = 0
    there.horizon = {"dusk_astronomical": "-18"}.get(event, solar._horizons[event])
    there.horizon += math.radians(higher)
    there.date = begin
    center = {"use_center": True} if solar._use_center_l[event] else {}
    try:
        found = getattr(there, solar._methods[event])(ephem.Sun(), start=begin, **center)
    except ephem.CircumpolarError:
        return None
    return found.datetime().replace(tzinfo=timezone.utc)


def test_the_sun_is_where_an_ephemeris_has_it():
    rng = random.Random(SEED)
    questions, expected = [], []
    while len(expected) < 1_000:
        event = rng.choice(sorted(solar._all_events))
        latitude, longitude = rng.uniform(-70, 70), rng.uniform(-180, 180)
        begin = instant(rng, pytz.utc).replace(microsecond=0)
        due = ephem_event(event, latitude, longitude, begin.replace(tzinfo=None))
        if due is None:
            continue
        spec = {"solar": [event, latitude, longitude]}
        questions.append(question(spec, "UTC", begin, begin))
        expected.append(due - begin)
    worst, grazing = timedelta(), 0
    for q, answer, due in zip(questions, ask(questions), expected, strict=True):
        error = abs(timedelta(microseconds=answer["remaining"]) - due)
        if error < timedelta(seconds=60):
            worst = max(worst, error)
            continue
        # The sun only just gets there: for the ephemeris, too, a hundredth of a degree
        # makes a minute.
        begin = EPOCH + timedelta(microseconds=q["last_run"])
        times = [
            ephem_event(*q["schedule"]["solar"], begin.replace(tzinfo=None), higher)
            for higher in (-0.01, 0.01)
        ]
        assert None in times or abs(times[1] - times[0]) > timedelta(seconds=60), (q, error)
        grazing += 1
    print(f"worst: {worst}, grazing: {grazing}")
    assert grazing < 10
