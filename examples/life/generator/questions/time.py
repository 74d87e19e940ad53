"""Questions whose answer is a date to be worked out, and questions to the calendars."""

from datetime import date, datetime

from .. import clock


def ask(a):
    house_and_family(a)
    work_and_club(a)
    school_and_errands(a)
    today_and_next(a)
    times_and_zones(a)


def house_and_family(a):
    a.ask("moving-day", "On what date did the removal men come?", "temporal", "date", a.later(date(2026, 3, 14), 7),
          a.mail("movers-ok", "eine Woche später geht"), a.mail("movers-quote", "Samstag 14. März"), also=[a.event("move"), a.note("daily/2026-03-21.md", "movers at eight sharp")])
    a.ask("movers-look", "When did the removal firm come to look at our things?", "temporal", "date", a.later(a.day("movers-quote"), -1),
          a.mail("movers-quote", "nach der Besichtigung von gestern"))
    a.ask("lease-deadline", "By when did the signed lease have to be back?", "temporal", "date", a.after("lease", "tuesday"),
          a.mail("lease", "bis kommenden Dienstag"))
    a.ask("handover-day", "What day did we hand back the flat in Walnussweg?", "temporal", "date", a.later(date(2026, 3, 31), -1),
          a.mail("handover-moved", "Können wir die Übergabe einen Tag früher machen"), a.mail("handover-ok", "dann Montag um 17 Uhr"), also=[a.event("handover")])
    a.ask("kitchen-day", "When did the kitchen actually arrive?", "temporal", "date", a.later(a.day("kitchen-late"), 14),
          a.mail("kitchen-late", "I come in exactly two weeks"), also=[a.event("kitchen"), a.document("kueche-schlussrechnung.pdf", "fitted on 28 and 29 April 2026")])
    a.ask("boxes-day", "Which day was Felix going to fetch the moving boxes?", "temporal", "date", a.after("felix-boxes", "wednesday"),
          a.mail("felix-boxes", "I'll get the boxes from Leni's shop on Wednesday"))
    a.ask("rashid-parcel", "Since when did Rashid have the curtain rail?", "temporal", "date", a.before("rashid-key", "friday"),
          a.mail("rashid-key", "is with me since Friday"))
    a.ask("plumber-day", "Wann sollte der Installateur kommen?", "temporal", "date", a.later(a.day("leak-plumber"), 2),
          a.mail("leak-plumber", "kommt übermorgen zwischen 8 und 10 Uhr"), language="de")
    a.ask("smoke-detectors-when", "When do the smoke detector people come?", "temporal", "date", a.later(date(2026, 11, 26), 1),
          a.mail("smoke-corrected", "einen Tag später geprüft als angekündigt"), a.mail("smoke", "Donnerstag, den 26. November"), also=[a.event("smoke-detectors")],
          notes="first announced for the 26th, put off by a day; 13 to 16 h")
    a.ask("rauchmelder-de", "Wann werden die Rauchmelder geprüft?", "temporal", "date", a.later(date(2026, 11, 26), 1),
          a.mail("smoke-corrected", "einen Tag später geprüft als angekündigt"), a.mail("smoke", "Donnerstag, den 26. November"), also=[a.event("smoke-detectors")], language="de")
    a.ask("standing-order", "When will Felix change the bank order for the rent?", "temporal", "date", a.later(a.after("felix-standing-order", "sunday"), 7),
          a.mail("felix-standing-order", "I'll change the standing order on Sunday week"))
    a.ask("deposit-transfer", "By what day did Krüger say he'd send the money?", "temporal", "date", a.after("deposit-back", "friday"),
          a.mail("deposit-back", "überweise ich bis Freitag"))
    a.ask("hip-day", "When did Dad have his operation?", "temporal", "date", a.later(date(2026, 1, 29), 14),
          a.mail("helen-hip", "put off by a fortnight to the day"), a.mail("helen-christmas", "the 29th of January"), also=[a.note("daily/2026-02-12.md", "Dad's operation went well")])
    a.ask("christmas-landing", "When did Mum and Dad land for Christmas last year?", "temporal", "date", clock.weekday_before(date(2025, 12, 25), "sunday"),
          a.mail("helen-christmas", "We land on the Sunday before Christmas"))
    a.ask("easter-landing", "When did Mum arrive for her spring visit?", "temporal", "date", date(2026, 4, 7),
          a.mail("helen-easter", "on the Tuesday after Easter Monday"), also=[a.event("mum-visit"), a.note("daily/2026-04-07.md", "Fetched Mum")])
    a.ask("notar-de", "Wann war Ingrid mit Matthias beim Notar?", "temporal", "date", a.before("ingrid-geburtstag", "friday"),
          a.mail("ingrid-geburtstag", "Letzten Freitag war ich mit Matthias beim Notar"), language="de")
    a.ask("dog-since", "Since when has Ingrid had the dog?", "temporal", "date", a.before("ingrid-hund", "saturday"),
          a.mail("ingrid-hund", "seit letztem Samstag"))
    a.ask("thumb", "What day did Matthias break his thumb?", "temporal", "date", a.before("ingrid-weihnachten", "wednesday"),
          a.mail("ingrid-weihnachten", "letzten Mittwoch"))
    a.ask("hat-posted-fr", "Quel jour Yann voulait-il poster le bob rouge ?", "temporal", "date", a.after("yann-marche", "monday"),
          a.mail("yann-marche", "Je les poste lundi prochain"), language="fr")
    a.ask("lotte-train-back", "Which day did Lotte travel home from the sailing course?", "temporal", "date", a.later(a.day("odd-label"), 1),
          a.mail("odd-label", "Ich bringe sie morgen um 14:12 Uhr zum Zug"))
    a.ask("pigeon-weekend", "By what date did Ravi need the story about Zoe?", "temporal", "date", date(2026, 8, 20),
          a.mail("ravi-speech", "By the 20th if you can"))
    a.ask("elise-tells-mum", "On which day did Elise want to tell Mum she's pregnant?", "temporal", "date", date(2026, 10, 16),
          a.mail("elise-news", "I'm telling her on my birthday"), a.event("birthday-elise"))
    a.ask("perseids", "Which night was the peak that Felix wanted to watch from the roof?", "temporal", "date", a.later(a.day("darksky-felix"), 2),
          a.mail("darksky-felix", "the peak is the night after tomorrow"))


def work_and_club(a):
    a.ask("plan-due", "By when did I promise Grace the new floor plan?", "temporal", "date", a.after("plan-promise", "friday"),
          a.mail("plan-promise", "I'll send you the revised floor plan on Friday"))
    a.ask("plan-late", "How many days late was the floor plan?", "temporal", "number", (a.day("plan-sent") - a.after("plan-promise", "friday")).days,
          a.mail("plan-promise", "on Friday"), a.mail("plan-sent", "Plan attached"), derived=True)
    a.ask("trustees-met", "When did the trustees decide to cut our budget?", "temporal", "date", a.later(a.day("grace-budget"), -1),
          a.mail("grace-budget", "the trustees met yesterday"))
    a.ask("engineer-called", "When did Priya phone the museum's engineer about the floor?", "temporal", "date", a.before("priya-loads", "friday"),
          a.mail("priya-loads", "I called their engineer last Friday"))
    a.ask("cases-day", "What date did Lucas give for the display cases in the end?", "temporal", "date", a.later(a.after("lucas-retard", "thursday"), 7),
          a.mail("lucas-retard", "jeudi en huit"), also=[a.event("cases")])
    a.ask("jonas-beer-day", "When did Jonas and I go for that beer after he gave notice?", "temporal", "date", a.after("jonas-leaving", "thursday"),
          a.mail("jonas-leaving", "Beer on Thursday?"))
    a.ask("label-sources", "By when did Jonas want to upload the template files?", "temporal", "date", a.after("jonas-new", "wednesday"),
          a.mail("jonas-new", "by Wednesday"))
    a.ask("opening-night", "On what date did those 612 people come?", "temporal", "date", a.later(a.day("opening-morning"), -1),
          a.mail("opening-morning", "612 people last night"), also=[a.event("opening")])
    a.ask("slides-due", "When were the first Salt Roads slides due?", "temporal", "date", a.after("tom-salt", "monday"),
          a.mail("tom-salt", "the first ten slides to me by Monday"))
    a.ask("salt-numbers", "When do I get the weight figures for the slide from Priya?", "temporal", "date", a.after("priya-salt", "wednesday"),
          a.mail("priya-salt", "Numbers for the slide on Wednesday, promised"))
    a.ask("moreau-paid", "On what day did Nadia plan to pay the last bill from Lyon?", "temporal", "date", a.after("nadia-invoices", "friday"),
          a.mail("nadia-invoices", "I'll pay the last one on Friday"))
    a.ask("sand-ordered", "When was the sand going to be ordered?", "temporal", "date", a.later(a.day("priya-brick"), 1),
          a.mail("priya-brick", "I'll order the sand tomorrow"))
    a.ask("crack-when", "On which date was the boat damaged?", "temporal", "date", a.before("gisela-confess", "sunday"),
          a.mail("gisela-confess", "It was us, last Sunday"))
    a.ask("crack-found", "When did Marek discover the damage?", "temporal", "date", a.later(a.day("gisela"), -1),
          a.mail("gisela", "I found it yesterday when I washed her"))
    a.ask("key-dropped", "When did I say I'd put the boathouse key in Tom's letterbox?", "temporal", "date", a.later(a.day("toma-key-reply"), 1),
          a.mail("toma-key-reply", "I'll drop it in tomorrow on the way to work"))
    a.ask("pot-day", "Which day did I promise to bring Bea the big pot?", "temporal", "date", a.after("bea-oven-reply", "saturday"),
          a.mail("bea-oven-reply", "I'll bring the pot on Saturday morning"))
    a.ask("book-october", "When did the October book circle take place?", "temporal", "date", a.later(date(2026, 10, 14), 1),
          a.mail("kofi-book-2", "Can we do the day after?"), a.mail("kofi-book", "Wednesday the 14th"))
    a.ask("dinner-count", "By when does Sigrid need to know about the earlier dinner?", "temporal", "date", a.after("dinner-moved", "wednesday"),
          a.mail("dinner-moved", "I need the number by Wednesday"))


def school_and_errands(a):
    a.ask("trip-money-due", "Bis wann mussten wir die Klassenfahrt bezahlen?", "temporal", "date", a.after("klassenfahrt", "thursday"),
          a.mail("klassenfahrt", "bis nächsten Donnerstag überweisen"), language="de")
    a.ask("hort-closed", "An welchem Tag ist der Hort diese Woche zu?", "temporal", "date", a.after("app-3", "friday"),
          a.mail("app-3", "Am kommenden Freitag bleibt der Hort wegen einer Fortbildung geschlossen"), language="de")
    a.ask("umbrella-money", "Until when can I give Anna the money for the umbrella?", "temporal", "date", a.after("odd-bcc", "wednesday"),
          a.mail("odd-bcc", "Cash to me until next Wednesday please"))
    a.ask("library-due", "Bis wann mussten die Bücher zurück in die Bücherei?", "temporal", "date", a.after("library-1", "friday"),
          a.mail("library-1", "endet am Freitag"), language="de")
    a.ask("dentist-february", "When was my dentist check-up at the start of the year in the end?", "temporal", "date", a.later(date(2026, 2, 3), 7),
          a.mail("osei-move", "Could it be a week later, same time?"), a.mail("osei-reminder", "Tuesday, 3 February, 8:15"), also=[a.event("dentist-1")])
    a.ask("insurance-sent", "When did the insurance send off the money for the leak?", "temporal", "date", a.later(a.day("nordlicht-paid"), -1),
          a.mail("nordlicht-paid", "Der Betrag ist seit gestern unterwegs"))
    a.ask("tyres-day", "When were the winter tyres to go on?", "temporal", "date", clock.weekday_before(date(2026, 11, 25), "monday"),
          a.mail("pfeiffer-tuv-reply", "das machen wir am Montag davor"))
    a.ask("train-earlier", "What time did our train to Brittany finally leave Berlin?", "temporal", "text", "05:42",
          a.mail("trip-change", "22 minutes earlier than planned"), a.document("itinerary-brittany.pdf", "06:04"), also=[a.mail("trip-felix", "5:42")], accept=["5:42", "5.42"])
    a.ask("thesis-day", "When did Nele hand in her thesis?", "temporal", "date", a.day("odd-duplicate"),
          a.mail("odd-duplicate", "I handed in my thesis this morning"))
    a.ask("spelt-day", "Which day was Leni going to bring freshly ground flour?", "temporal", "date", a.after("leni-mill", "saturday"),
          a.mail("leni-mill", "I'll bring you two kilos on Saturday"))


def today_and_next(a):
    today = clock.TODAY
    agenda(a, "today", "What's on today?", today)
    agenda(a, "tomorrow", "What do I have tomorrow?", a.later(today, 1))
    agenda(a, "thursday", "What's in my calendar on Thursday?", a.later(today, 2))
    agenda(a, "tuesday-next", "And on Tuesday next week?", a.later(today, 7))
    a.ask("paper-next", "When does the paper have to go out next?", "calendar", "date", a.next("paper-bin"), a.event("paper-bin"))
    a.ask("board-next", "When is the next meeting of the club board?", "calendar", "date", a.next("club-board").date(), a.event("club-board"))
    a.ask("board-january", "When does the board meet in January?", "calendar", "date", a.next("club-board", date(2027, 1, 1)).date(),
          a.event("club-board"), notes="the first Thursday, moved by a week")
    a.ask("piano-next", "When is Lotte's next piano lesson?", "calendar", "date", a.next("piano").date(), a.event("piano"))
    a.ask("ergo-january", "When is the first indoor rowing session of the new year?", "calendar", "date", a.next("rowing-ergo", date(2027, 1, 1)).date(), a.event("rowing-ergo"))
    a.ask("standup-last", "What's the last stand-up before the Christmas break?", "calendar", "date", a.starts("standup", last=date(2026, 12, 31))[-1].date(), a.event("standup"))
    a.ask("swimming-last", "When is Emil's last swimming lesson?", "calendar", "date", a.starts("swimming")[-1].date(), a.event("swimming"))
    a.ask("birthday-next", "Whose birthday comes up next in my calendar?", "calendar", "person", "Ingrid", a.event("birthday-ingrid"), accept=["Ingrid Brandt", "Oma Ingrid"])
    a.ask("numbers-next", "When do I next sit down with Nadia over the figures?", "calendar", "date", a.next("numbers").date(), a.event("numbers"))
    a.ask("free-friday", "Am I free on Friday at two in the afternoon?", "calendar", "text", "no", a.event("smoke-detectors"),
          accept=["No, smoke detectors, someone at home", "Smoke detectors"], derived=True)
    a.ask("weekend-january", "What's on the weekend of 16 January?", "calendar", "list", "Zoe and Ravi's visit, Slow Grain course",
          a.event("zoe-visit"), a.event("bread-course"), items=["Zoe & Ravi here", "Slow Grain course"])
    a.ask("piano-monday-last", "When was the last piano lesson on a Monday?", "calendar", "date", a.starts("piano-old")[-1].date(), a.event("piano-old"))


def agenda(a, id, question, day):
    found = a.agenda(day)
    said = ", ".join(f"{event.summary} {start:%H:%M}" if isinstance(start, datetime) else event.summary for start, event in found)
    a.ask(id, question, "calendar", "list", said, *(a.event(event.key) for _, event in found), items=[event.summary for _, event in found])


def times_and_zones(a):
    a.ask("opening-berlin", "What time was it here when Tidelines opened?", "calendar", "text", "00:00", a.event("opening"),
          accept=["midnight", "0:00", "12 am"], derived=True, notes="18:00 in New York is midnight in Berlin")
    a.ask("call-berlin", "At what time, our time, were the regular calls with Grace in February?", "calendar", "text", "16:00", a.event("grace-call"),
          accept=["4 pm", "4 p.m."], derived=True)
    a.ask("call-march", "And in mid-March, on the 23rd, what time was the Grace call for me?", "calendar", "text", "15:00", a.event("grace-call"),
          accept=["3 pm", "3 p.m."], derived=True, notes="America changes its clocks two weeks before Europe")
    a.ask("call-labor-day", "Which day did the September call with Grace move to because of Labor Day?", "calendar", "date", datetime(2026, 9, 8, 10).date(),
          a.event("grace-call", "Call with Grace (Labor Day moved)"))
    a.ask("pitch-where", "Where exactly do we pitch on 3 December?", "calendar", "text", "Haus am Sudpfad", a.event("salt-pitch"), accept=["Salzburg, Haus am Sudpfad"])
    a.ask("brittany-last", "What was the last day of our Brittany holiday?", "calendar", "date", date(2026, 7, 25), a.event("brittany"),
          notes="an all-day event's end is the day after")
    a.ask("new-york-days", "How many days was I blocked out for building in New York in October?", "calendar", "number", 10, a.event("build"), derived=True)
    a.ask("piano-this-month", "On what days does Lotte have piano this November?", "calendar", "list", "4, 11, 20 and 25 November", a.event("piano"),
          items=[s.date().isoformat() for s in a.starts("piano", date(2026, 11, 1), date(2026, 11, 30))], derived=True)
    a.ask("review-overlap", "What clashes with my yearly talk with Tom?", "calendar", "text", "Salt Roads: corridor workshop", a.event("salt-workshop"),
          a.event("review"), accept=["corridor workshop", "workshop"])
