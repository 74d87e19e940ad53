"""Time in the sample life: a fixed "today", two daylight-saving rules, and weekday arithmetic.

The rules are written out here, instead of read from the machine's zone files, so that the data come
out the same on every computer.
"""

from datetime import date, datetime, timedelta, timezone

TODAY = date(2026, 11, 24)
NOW = "2026-11-24T09:00:00+01:00"

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def last_sunday(year, month):
    last = date(year, month + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def nth_sunday(year, month, n):
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (n - 1))


def offset_hours(local, zone):
    """Hours east of UTC of a local wall-clock time. The change itself happens at night: days suffice."""
    day = local.date() if isinstance(local, datetime) else local
    europe_summer = last_sunday(day.year, 3) <= day < last_sunday(day.year, 10)
    if zone == "Europe/Berlin" or zone == "Europe/Paris":
        return 2 if europe_summer else 1
    if zone == "Europe/London":
        return 1 if europe_summer else 0
    if zone == "America/New_York":
        summer = nth_sunday(day.year, 3, 2) <= day < nth_sunday(day.year, 11, 1)
        return -4 if summer else -5
    if zone == "Asia/Tokyo":
        return 9
    if zone == "Europe/Moscow":
        return 3
    if zone == "UTC":
        return 0
    raise ValueError(f"no rule for zone {zone}")


def aware(local, zone="Europe/Berlin"):
    return local.replace(tzinfo=timezone(timedelta(hours=offset_hours(local, zone))))


def weekday_after(day, name):
    """The first such weekday strictly after `day` ("Friday", said on a Friday, is a week later)."""
    ahead = (WEEKDAYS.index(name) - day.weekday() - 1) % 7 + 1
    return day + timedelta(days=ahead)


def weekday_before(day, name):
    back = (day.weekday() - WEEKDAYS.index(name) - 1) % 7 + 1
    return day - timedelta(days=back)


def days_later(day, n):
    return day + timedelta(days=n)
