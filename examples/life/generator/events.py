"""Everything that stands in the two calendars of the sample life."""

from datetime import date, datetime

from .calendar import WINDOWS_ZONE, Change, Event
from .people import BY_KEY


def at(year, month, day, hour, minute=0):
    return datetime(year, month, day, hour, minute)


WEEKLY = "WEEKLY"
NEW_YORK = "America/New_York"


def birthday(key, year=None):
    text = BY_KEY[key].birthday.removeprefix("--")
    first = date.fromisoformat(text) if len(text) == 10 else date.fromisoformat(f"2000-{text}")
    first = first.replace(year=year or first.year)
    return Event(f"birthday-{key}", "personal", f"{BY_KEY[key].given}'s birthday", first, rule={"FREQ": "YEARLY"})


def child(key, name, born):
    return Event(f"birthday-{key}", "personal", f"{name}'s birthday", born, rule={"FREQ": "YEARLY"})


PERSONAL = [
    birthday("felix"), birthday("helen"), birthday("elise"), birthday("ingrid"), birthday("zoe"),
    child("lotte", "Lotte", date(2017, 2, 12)), child("emil", "Emil", date(2020, 6, 3)),
    Event("piano-old", "personal", "Lotte: piano", at(2025, 9, 1, 16), 45, rule={"FREQ": WEEKLY, "BYDAY": "MO", "UNTIL": date(2026, 3, 23)},
          without=[at(2025, 12, 22, 16), at(2025, 12, 29, 16)], place="Aurel Ionescu, Tonleiterweg 3"),
    Event("piano", "personal", "Lotte: piano", at(2026, 4, 15, 16, 30), 45, rule={"FREQ": WEEKLY, "BYDAY": "WE"},
          without=[at(2026, 7, d, 16, 30) for d in (15, 22, 29)] + [at(2026, 8, d, 16, 30) for d in (5, 12, 19)]
          + [at(2026, 9, 23, 16, 30), at(2026, 12, 23, 16, 30), at(2026, 12, 30, 16, 30)],
          changes=[Change(at(2026, 11, 18, 16, 30), at(2026, 11, 20, 16, 30), "Lotte: piano (moved, Aurel at the dentist)")],
          place="Aurel Ionescu, Tonleiterweg 3"),
    Event("physio", "personal", "Physio, shoulder", at(2026, 10, 5, 17, 15), 30, rule={"FREQ": WEEKLY, "COUNT": 7},
          without=[at(2026, 10, 12, 17, 15), at(2026, 10, 19, 17, 15)], place="Physio Reuter"),
    Event("physio-extra", "personal", "Physio, shoulder (made up)", at(2026, 11, 23, 17, 15), 30, place="Physio Reuter"),
    Event("rowing-water", "personal", "Rowing", at(2026, 4, 2, 18), 120, rule={"FREQ": WEEKLY, "BYDAY": "TH", "UNTIL": date(2026, 10, 29)},
          without=[at(2026, 7, 16, 18), at(2026, 7, 23, 18)], changes=[Change(at(2026, 6, 18, 18), at(2026, 6, 19, 17), "Rowing, last one before the regatta")],
          place="Boathouse"),
    Event("rowing-ergo", "personal", "Ergometer", at(2026, 11, 3, 19), 75, rule={"FREQ": WEEKLY, "BYDAY": "TU", "UNTIL": date(2027, 3, 30)},
          without=[at(2026, 12, 29, 19)], place="Boathouse"),
    Event("club-board", "personal", "Club board", at(2025, 11, 6, 20), 90, rule={"FREQ": "MONTHLY", "BYDAY": "1TH"},
          without=[at(2026, 1, 1, 20)], changes=[Change(at(2027, 1, 7, 20), at(2027, 1, 14, 20)), Change(at(2026, 8, 6, 20))],
          place="Boathouse, upstairs", organizer="sigrid", guests=["toma", "marek"]),
    Event("paper-bin", "personal", "Paper bin out", date(2026, 4, 2), rule={"FREQ": WEEKLY, "INTERVAL": 2}),
    Event("swimming", "personal", "Emil: swimming", at(2026, 9, 12, 10), 45, zone="", rule={"FREQ": WEEKLY, "COUNT": 12},
          without=[at(2026, 10, 24, 10), at(2026, 10, 31, 10)], place="Canal baths"),
    Event("flat-viewing", "personal", "See the flat at the Speicher", at(2025, 12, 7, 14), 45, place="Am Alten Speicher 5"),
    Event("dentist-1", "personal", "Dentist", at(2026, 2, 10, 8, 15), 30, place="Zahnarztpraxis Osei"),
    Event("dentist-2", "personal", "Dentist", at(2026, 9, 9, 8, 15), 30, place="Zahnarztpraxis Osei"),
    Event("blood", "personal", "Blood test, Dr. Vogt (no breakfast)", at(2026, 2, 2, 7, 45), 15, place="Brunnenhof 2"),
    Event("keys", "personal", "Keys for the new flat", at(2026, 3, 13, 14), 30, place="Speicherhof Hausverwaltung, Am Alten Speicher 1"),
    Event("move", "personal", "MOVE", date(2026, 3, 21), text="Movers at 8, trailer at 7. Piano last."),
    Event("taster-day", "personal", "Lotte: taster day at the new school", date(2026, 3, 27)),
    Event("handover", "personal", "Hand over Walnussweg to Herr Krüger", at(2026, 3, 30, 17), 60, place="Walnussweg 12"),
    Event("mum-visit", "personal", "Mum here", date(2026, 4, 7), days=7, text="Lands 13:25"),
    Event("kitchen", "personal", "Kitchen!", at(2026, 4, 28, 7, 30), 600, text="Stefan Adler and two men"),
    Event("sailing", "personal", "Lotte: sailing course in Kiel", date(2026, 8, 3), days=5, place="Kiel, sleeps at Matthias's"),
    Event("regatta", "personal", "Summer regatta", at(2026, 6, 20, 9), 600, place="Boathouse"),
    Event("brittany", "personal", "Brittany, Ty Kerlann", date(2026, 7, 11), days=15, place="Plougastel-les-Bois"),
    Event("kofi-party", "personal", "Kofi's barbecue", at(2026, 8, 1, 17), 300, place="Boathouse"),
    Event("school-start", "personal", "Emil starts school", at(2026, 8, 29, 11), 120, place="Grundschule am Weiher, gym"),
    Event("wedding", "personal", "Zoe & Ravi", at(2026, 9, 5, 13), 600, zone="Europe/London", place="The Old Glasshouse, near Bath"),
    Event("flight-home", "personal", "Flight Bristol to Berlin", at(2026, 9, 6, 17, 10), 125, zone="Europe/London"),
    Event("class-trip", "personal", "Lotte: class trip, Rügen", date(2026, 9, 21), days=5, text="Leaves 7:45 Gesundbrunnen, platform 6"),
    Event("babysitter", "personal", "Nele comes (cinema)", at(2026, 10, 1, 18, 30), 240),
    Event("rashid-party", "personal", "Rashid's sister's engagement", at(2026, 10, 24, 20), 240, place="Third floor"),
    Event("book-oct", "personal", "Book circle at Kofi's", at(2026, 10, 15, 19, 30), 150, status="CANCELLED",
          text="I'm in New York, they meet without me"),
    Event("book-nov", "personal", "Book circle here", at(2026, 11, 18, 19, 30), 150, guests=[]),
    Event("book-dec", "personal", "Book circle at Bea's", at(2026, 12, 16, 19, 30), 150, place="Bea's"),
    Event("lantern", "personal", "Emil: lantern walk", at(2026, 11, 11, 17), 90, place="Chapel"),
    Event("tuv", "personal", "Car to Pfeiffer (TÜV)", at(2026, 11, 25, 7, 30), 15, place="Werkstatt Pfeiffer"),
    Event("smoke-detectors", "personal", "Smoke detectors, someone at home", at(2026, 11, 27, 13), 180),
    Event("parents-evening", "personal", "Parents' evening 4b", at(2026, 12, 1, 19), 120, place="Room 12", organizer="sommer", guests=["annak", "felix"]),
    Event("student-concert", "personal", "Student concert, Lotte plays", at(2026, 12, 5, 16), 90, place="Hall behind the music school", organizer="felix"),
    Event("club-dinner", "personal", "Club dinner", at(2026, 12, 12, 19), 240, place="Boathouse"),
    Event("christmas-eve", "personal", "Ingrid comes, goose", date(2026, 12, 24), days=3),
    Event("quimper", "personal", "Quimper", date(2026, 12, 27), days=6, text="Yann fetches us from the station"),
    Event("parents-january", "personal", "Mum and Dad here", date(2027, 1, 2), days=5),
    Event("zoe-visit", "personal", "Zoe & Ravi here", date(2027, 1, 15), days=4),
    Event("bread-course", "personal", "Slow Grain course", at(2027, 1, 16, 9, 30), 420, text="Apron. Gundula, awake."),
]

WORK = [
    Event("standup-early", "work", "Stand-up", at(2025, 6, 24, 9, 30), 20, rule={"FREQ": WEEKLY, "BYDAY": "TU", "UNTIL": date(2026, 8, 25)},
          without=[at(2025, 12, 23, 9, 30), at(2025, 12, 30, 9, 30)], place="The long table", organizer="tomb", guests=["priya", "mei"]),
    Event("standup", "work", "Stand-up", at(2026, 9, 1, 10), 20, rule={"FREQ": WEEKLY, "BYDAY": "TU"},
          without=[at(2026, 12, 22, 10), at(2026, 12, 29, 10)], changes=[Change(at(2026, 10, 13, 10))],
          place="The long table", organizer="tomb", guests=["priya", "mei"]),
    Event("grace-call", "work", "Call with Grace", at(2025, 9, 8, 10), 45, zone=NEW_YORK,
          rule={"FREQ": WEEKLY, "INTERVAL": 2, "BYDAY": "MO", "UNTIL": date(2026, 10, 5)},
          without=[at(2025, 12, 29, 10), at(2026, 5, 18, 10), at(2026, 7, 13, 10)],
          changes=[Change(at(2026, 9, 7, 10), at(2026, 9, 8, 10), "Call with Grace (Labor Day moved)")],
          organizer="grace", guests=["tomb"]),
    Event("numbers", "work", "Numbers with Nadia", at(2025, 6, 27, 11), 60, rule={"FREQ": "MONTHLY", "BYDAY": "-1FR", "COUNT": 19},
          without=[at(2025, 12, 26, 11), at(2026, 12, 25, 11)],
          changes=[Change(at(2026, 3, 27, 11), at(2026, 3, 26, 11))], organizer="nadia", guests=["tomb"]),
    Event("lucas-visit", "work", "Lucas here", at(2026, 1, 14, 11), 180, place="Studio", organizer="lucas", guests=["priya"]),
    Event("haruka-call", "work", "Daylight, call with Haruka", at(2026, 2, 23, 10), 60, zone="Europe/Berlin", organizer="haruka", guests=["mei"]),
    Event("site-walk", "work", "Site walk, Brightwater", at(2026, 5, 19, 10), 150, zone=NEW_YORK, place="Brightwater Museum, loading dock",
          organizer="grace", guests=["daniel"], text="Bring boots. Walter Finch, our engineer, joins."),
    Event("label-day", "work", "Label day", at(2026, 5, 20, 10), 360, zone=NEW_YORK, place="Brightwater Museum, room 4", organizer="grace", guests=["daniel"]),
    Event("opening-old", "work", "Tidelines opens", at(2026, 9, 17, 18), 240, zone=NEW_YORK, place="Brightwater Museum", status="CANCELLED"),
    Event("cases", "work", "Nine cases arrive from Lyon", at(2026, 7, 2, 8), 180, place="Studio yard", text="Four people, pallet truck"),
    Event("couriers", "work", "Couriers arrive, crates", at(2026, 9, 29, 9), 480, zone=NEW_YORK, place="Brightwater Museum", organizer="daniel"),
    Event("build", "work", "New York, building Tidelines", date(2026, 10, 8), days=10),
    Event("opening", "work", "Tidelines opens", at(2026, 10, 15, 18), 240, zone=NEW_YORK, place="Brightwater Museum", organizer="grace", guests=["tomb", "priya", "mei"]),
    Event("review", "work", "Yearly talk with Tom", at(2026, 11, 26, 16), 60, zone=WINDOWS_ZONE, place="Tom's room", organizer="tomb"),
    Event("salt-workshop", "work", "Salt Roads: corridor workshop", at(2026, 11, 26, 15, 30), 90, place="Workshop", organizer="priya", guests=["mei"]),
    Event("salt-train", "work", "Train to Salzburg", at(2026, 12, 3, 6, 28), 390, text="Three seats, quiet coach for Tom"),
    Event("salt-pitch", "work", "Salt Roads pitch", at(2026, 12, 3, 14), 90, place="Salzburg, Haus am Sudpfad", organizer="tomb", guests=["priya"]),
    Event("jonas-lunch", "work", "Lunch with Jonas", at(2026, 12, 4, 12, 30), 75, zone="", place="The Greek's"),
    Event("party", "work", "December party", at(2026, 12, 11, 18, 30), 240, place="Bowling behind the goods station", organizer="nadia", guests=["tomb", "priya", "mei"]),
    Event("light-lunch", "work", "Lights out: Mei on holiday", date(2026, 12, 14), days=21),
    Event("first-aid", "work", "First-aid course", date(2027, 2, 11)),
]

EVENTS = PERSONAL + WORK
BY_EVENT = {event.key: event for event in EVENTS}
