"""Calendars: events with their rules, moved and cancelled occurrences; written as iCalendar and
expanded here too, so that questions are answered from the same model."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from . import clock
from .contacts import escape, fold
from .people import BY_KEY, OWNER

DAY_CODES = "MO TU WE TH FR SA SU".split()
WINDOWS_ZONE = "W. Europe Standard Time"


@dataclass
class Change:
    """One occurrence that differs: moved (new `start`), renamed, or cancelled (`start` None)."""

    original: object
    start: object = None
    summary: str = ""


@dataclass
class Event:
    key: str
    calendar: str
    summary: str
    start: object  # date for all-day events, datetime (local) otherwise
    minutes: int = 60
    days: int = 1  # all-day events only
    zone: str = "Europe/Berlin"  # "" is floating
    rule: dict = field(default_factory=dict)
    without: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    place: str = ""
    organizer: str = ""
    guests: list = field(default_factory=list)
    text: str = ""
    status: str = ""

    @property
    def all_day(self):
        return not isinstance(self.start, datetime)

    @property
    def uid(self):
        return f"{self.key}@{'studiofennel' if self.calendar == 'work' else 'calder'}.example"


def matches(event, day):
    """Whether the rule, not counting COUNT, UNTIL and exceptions, gives an occurrence on `day`."""
    rule, first = event.rule, event.start.date() if isinstance(event.start, datetime) else event.start
    interval = rule.get("INTERVAL", 1)
    if rule["FREQ"] == "WEEKLY":
        weeks = (day - timedelta(days=day.weekday()) - first + timedelta(days=first.weekday())).days // 7
        codes = rule.get("BYDAY", DAY_CODES[first.weekday()]).split(",")
        return DAY_CODES[day.weekday()] in codes and weeks % interval == 0
    if rule["FREQ"] == "MONTHLY":
        nth, code = int(rule["BYDAY"][:-2]), rule["BYDAY"][-2:]
        if DAY_CODES[day.weekday()] != code:
            return False
        if nth > 0:
            return (day.day - 1) // 7 + 1 == nth
        return (day + timedelta(days=7)).month != day.month
    if rule["FREQ"] == "YEARLY":
        return (day.month, day.day) == (first.month, first.day)
    raise ValueError(rule)


def expand(event, until=date(2027, 12, 31)):
    """All starts up to `until`, in order, moved and cancelled ones applied."""
    if event.status == "CANCELLED":
        return []
    if not event.rule:
        return [event.start]
    day = event.start.date() if isinstance(event.start, datetime) else event.start
    last = min(until, event.rule.get("UNTIL", until))
    count, starts = event.rule.get("COUNT", 10**6), []
    while day <= last and count > 0:
        if matches(event, day):
            starts.append(day if event.all_day else datetime.combine(day, event.start.time()))
            count -= 1
        day += timedelta(days=1)
    moved = {change.original: change.start for change in event.changes}
    kept = [moved.get(start, start) for start in starts if start not in event.without]
    return sorted(start for start in kept if start is not None)


def stamp(value):
    return value.strftime("%Y%m%dT%H%M%S") if isinstance(value, datetime) else value.strftime("%Y%m%d")


def timed(name, value, event):
    if not isinstance(value, datetime):
        return f"{name};VALUE=DATE:{stamp(value)}"
    if not event.zone:
        return f"{name}:{stamp(value)}"
    if event.zone == "UTC":
        return f"{name}:{stamp(value)}Z"
    return f"{name};TZID={event.zone}:{stamp(value)}"


def rule_text(event):
    parts = []
    for name, value in event.rule.items():
        if name == "UNTIL":
            if event.all_day:
                value = stamp(value)
            else:
                local = datetime.combine(value, event.start.time())
                value = stamp(local - timedelta(hours=clock.offset_hours(local, zone_rule(event.zone)))) + "Z"
        parts.append(f"{name}={value}")
    return "RRULE:" + ";".join(parts)


def zone_rule(zone):
    return "Europe/Berlin" if zone in ("", WINDOWS_ZONE) else zone


def component(event, change=None, method=None):
    start = (
        change.start if change and change.start is not None else change.original if change else event.start
    )
    lines = ["BEGIN:VEVENT", f"UID:{event.uid}", "DTSTAMP:20261101T080000Z", timed("DTSTART", start, event)]
    if event.all_day:
        lines.append(timed("DTEND", start + timedelta(days=event.days), event))
    else:
        lines.append(timed("DTEND", start + timedelta(minutes=event.minutes), event))
    lines.append(f"SUMMARY:{escape(change.summary if change and change.summary else event.summary)}")
    if change:
        lines.append(timed("RECURRENCE-ID", change.original, event))
        lines.append("SEQUENCE:1")
        if change.start is None:
            lines.append("STATUS:CANCELLED")
    elif event.rule:
        lines.append(rule_text(event))
        lines += [timed("EXDATE", value, event) for value in event.without]
    if event.place:
        lines.append(f"LOCATION:{escape(event.place)}")
    if event.text:
        lines.append(f"DESCRIPTION:{escape(event.text)}")
    if event.organizer:
        person = BY_KEY[event.organizer]
        lines.append(f"ORGANIZER;CN={person.name}:mailto:{person.mails[0]}")
        for guest in [OWNER.key] + event.guests:
            person = BY_KEY[guest]
            address = person.mails[1] if guest == OWNER.key and event.calendar == "work" else person.mails[0]
            lines.append(
                f"ATTENDEE;CN={person.name};PARTSTAT={'NEEDS-ACTION' if method else 'ACCEPTED'}:mailto:{address}"
            )
    if event.status and not change:
        lines.append(f"STATUS:{event.status}")
    return lines + ["END:VEVENT"]


def zone_component(name):
    if name == "America/New_York":
        summer, winter, on, off = "-0400", "-0500", "3;BYDAY=2SU", "11;BYDAY=1SU"
        names, hours = ("EDT", "EST"), ("020000", "020000")
    elif name == "Europe/London":
        summer, winter, on, off = "+0100", "+0000", "3;BYDAY=-1SU", "10;BYDAY=-1SU"
        names, hours = ("BST", "GMT"), ("010000", "020000")
    else:
        summer, winter, on, off = "+0200", "+0100", "3;BYDAY=-1SU", "10;BYDAY=-1SU"
        names, hours = ("CEST", "CET"), ("020000", "030000")
    first = {
        "3;BYDAY=2SU": "20070311",
        "11;BYDAY=1SU": "20071104",
        "3;BYDAY=-1SU": "19960331",
        "10;BYDAY=-1SU": "19961027",
    }
    return [
        "BEGIN:VTIMEZONE",
        f"TZID:{name}",
        "BEGIN:DAYLIGHT",
        f"TZOFFSETFROM:{winter}",
        f"TZOFFSETTO:{summer}",
        f"TZNAME:{names[0]}",
        f"DTSTART:{first[on]}T{hours[0]}",
        f"RRULE:FREQ=YEARLY;BYMONTH={on}",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        f"TZOFFSETFROM:{summer}",
        f"TZOFFSETTO:{winter}",
        f"TZNAME:{names[1]}",
        f"DTSTART:{first[off]}T{hours[1]}",
        f"RRULE:FREQ=YEARLY;BYMONTH={off}",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]


def file(events, name, method=None):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Polymath//sample life, everyone invented//EN"]
    if method:
        lines.append(f"METHOD:{method}")
    else:
        lines += [f"X-WR-CALNAME:{name}", "X-WR-TIMEZONE:Europe/Berlin", "X-SAMPLE-DATA:Polymath sample life"]
    for zone in sorted(
        {event.zone for event in events if event.zone not in ("", "UTC") and not event.all_day}
    ):
        lines += zone_component(zone)
    for event in events:
        lines += component(event, method=method)
        for change in event.changes:
            lines += component(event, change, method)
    return b"".join(fold(line) for line in lines + ["END:VCALENDAR"])


def to_utc(start, event):
    if not isinstance(start, datetime):
        return None
    zone = zone_rule(event.zone)
    return (start - timedelta(hours=clock.offset_hours(start, zone))).replace(tzinfo=timezone.utc)


def build(events):
    """Returns ({path: bytes}, attachments for mail)."""
    out = {
        f"calendar/{name}.ics": file([e for e in events if e.calendar == name], name.capitalize())
        for name in ("personal", "work")
    }
    invitations = {
        f"ics:{e.key}": (
            "invite.ics",
            "text/calendar; charset=utf-8; method=REQUEST",
            file([e], e.summary, "REQUEST"),
        )
        for e in events
        if e.organizer
    }
    return out, invitations
