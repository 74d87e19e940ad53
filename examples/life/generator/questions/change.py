"""What is true now after it changed, and what must be counted or added up."""

from datetime import date, timedelta

from ..clock import TODAY
from ..facts import HAVELSTROM


def ask(a):
    money_that_changed(a)
    places_and_times_that_changed(a)
    counts(a)
    sums(a)


def money_that_changed(a):
    a.ask("rent-now", "How much rent do we pay a month at the moment, everything included?", "update", "number", a.fact("rent_new"),
          a.mail("rent-2027", "statt bisher 1.465,00 €"), a.document("mietvertrag-am-alten-speicher.pdf", "1.465,00 €"))
    a.ask("rent-2027", "What will our rent be from January?", "update", "number", a.fact("rent_2027"),
          a.mail("rent-2027", "Ihre Gesamtmiete beträgt dann 1.492,00 €"))
    a.ask("hort-now-de", "Was kostet der Hort im Monat?", "update", "number", a.fact("hort_new"),
          a.mail("hort-fee", "zahlen Sie 108,00 € statt 96,00 €"), language="de", notes="96 until October 2026")
    a.ask("nele-rate", "What does the babysitter charge an hour?", "update", "number", a.fact("nele_new"),
          a.mail("nele-price", "14 euros an hour instead of 12"))
    a.ask("club-fee", "What's the yearly club fee these days?", "update", "number", a.fact("fee_2026"),
          a.mail("fee-2026", "the fee for 2026 is 264 euros (so far 240)"))
    a.ask("kitchen-total", "What did the whole kitchen come to?", "update", "number", a.fact("kitchen_final"),
          a.mail("kitchen-price", "one more board and a stronger leg: 7,240.00 euros"), a.document("kueche-schlussrechnung.pdf", "7,240.00 EUR"))
    a.ask("movers-total", "What did the removal company charge us in the end?", "update", "number", a.fact("movers_final"),
          a.mail("movers-invoice", "1.290,00 €"), a.mail("movers-ok", "Damit sind wir bei 1.290,00 €"))
    a.ask("kabelino-now", "How much is our internet per month now?", "update", "number", 42.90,
          a.mail("kabelino-2", "From October your contract K-55210 costs 42.90 a month"), notes="39.90 until September 2026")
    a.ask("budget-now", "What is the final budget for Tidelines?", "update", "number", a.fact("budget_final_usd"),
          a.mail("grace-budget", "the budget is now $385,000, final"), accept=["$385,000"])


def places_and_times_that_changed(a):
    a.ask("elise-number", "What's Elise's number?", "update", "text", "+33 6 39 98 04 71", a.mail("elise-number", "New number: +33 6 39 98 04 71"),
          a.card("+33-6-39-98-04-71"), accept=["+33-6-39-98-04-71"], notes="the old one ended in 01 15")
    a.ask("home-address", "What's our address?", "update", "text", "Am Alten Speicher 5", a.mail("address-note", "Am Alten Speicher 5 (second floor"),
          a.card("Am Alten Speicher 5"), accept=["Am Alten Speicher 5, 10001 Berlin"])
    a.ask("standup-time", "When does the stand-up start?", "update", "text", "10:00", a.mail("nadia-standup", "starts at 10:00 instead of 9:30"), a.event("standup"),
          accept=["10 am", "10"])
    a.ask("opening-date", "When did Tidelines open?", "update", "date", date(2026, 10, 15), a.mail("grace-shift", "on Thursday, October 15"), a.event("opening"))
    a.ask("wedding-where", "Where did Zoe get married?", "update", "text", "the Old Glasshouse", a.mail("zoe-venue", "now it's the Old Glasshouse"), a.event("wedding"),
          accept=["Old Glasshouse"])
    a.ask("key-code-fr", "Quel est le code de la boîte à clés de Ty Kerlann ?", "update", "text", "4087", a.mail("tanguy-code-2", "le code est 4087, et non 4807"), language="fr")
    a.ask("ferritin-now", "What's my latest ferritin value?", "update", "number", a.fact("ferritin_2"), a.document("laborbefund-2026-06.pdf", "41 ng/ml"),
          a.mail("vogt-lab-2", "Ferritin 41 ng/ml"), accept=["41 ng/ml"])
    a.ask("crates-total", "How many crates travel for the loans altogether?", "update", "number", 15, a.mail("daniel-rotterdam", "So that makes fifteen crates"),
          accept=["fifteen"])
    a.ask("regatta-day", "When was the summer regatta?", "update", "date", date(2026, 6, 13) + timedelta(7), a.mail("regatta-shift", "So we row a week later"),
          a.mail("regatta-date", "Saturday 13 June"), need="all", also=[a.event("regatta")])
    a.ask("dinner-day", "What date is the club dinner?", "update", "date", date(2026, 12, 12) - timedelta(1), a.mail("dinner-moved", "We eat one day earlier"),
          a.mail("dinner", "Saturday 12 December"), need="all", notes="the calendar still has the 12th")
    a.ask("einschulung-time-de", "Um wie viel Uhr begann Emils Einschulung?", "update", "text", "11 Uhr", a.mail("einschulung-2", "jetzt erst um 11 Uhr dran"), a.event("school-start"),
          accept=["11:00", "11"], language="de")
    a.ask("training-day", "Which evening is winter training?", "update", "text", "Tuesday", a.mail("winter-times-2", "Fine. Tuesdays 19:00"), a.event("rowing-ergo"), accept=["Tuesdays", "Tuesdays 19:00"])
    a.ask("jonas-where", "Where does Jonas work now?", "update", "text", "Atelier Nord", a.mail("jonas-leaving", "Atelier Nord have asked me to run their graphics team"), a.card("Atelier Nord"))
    a.ask("jonas-mail", "Which e-mail address should I use for Jonas?", "update", "text", "jonas.keller@atelier-nord.example",
          a.mail("jonas-new", "this is the address that works now"), a.card("jonas.keller@atelier-nord.example"))
    a.ask("bread-minutes", "How long do I bake the house loaf in the new oven?", "update", "number", 42, a.note("recipes/house-bread.md", "42 minutes"), accept=["42 minutes"])
    a.ask("pixel-weight", "What does the cat weigh?", "update", "number", "5.8", a.mail("tierney-diet", "5.8 kg. We need to talk"), a.note("cat.md", "5.8 (Oct 2026)"), accept=["5.8 kg"])
    a.ask("piano-time", "When does Lotte have piano nowadays?", "update", "text", "Wednesdays at 16:30", a.mail("aurel-move", "I can offer Wednesdays at 16:30"), a.event("piano"),
          accept=["Wednesday 16:30", "Wednesdays 16:30", "Wednesday"])
    a.ask("conservator", "Who ended up being the conservator for the crates?", "update", "person", "Dr. Amari",
          a.mail("odd-outlook", "the conservator is Dr. Amari after all"), accept=["Amari"])


def counts(a):
    krueger = a.letters_from("krueger")
    a.ask("count-krueger", "How many e-mails did I get from Herr Krüger?", "counting", "number", len(krueger),
          *(a.mail(letter.key, "Krüger") for letter in krueger), derived=True)
    havel = [key for key in a.letters if key.startswith("havel-")]
    a.ask("count-power", "How many monthly power bills has Havelstrom sent so far this year?", "counting", "number", len(havel),
          *(a.mail(key, "Ihr Verbrauch im") for key in havel), derived=True)
    a.ask("count-standups-october", "How many stand-ups were there in October?", "counting", "number",
          len(a.starts("standup", date(2026, 10, 1), date(2026, 10, 31))), a.event("standup"), derived=True, notes="the one of the 13th was cancelled")
    a.ask("count-piano-november", "How many piano lessons does Lotte have this month?", "counting", "number",
          len(a.starts("piano", date(2026, 11, 1), date(2026, 11, 30))), a.event("piano"), derived=True)
    physio = len(a.starts("physio")) + len(a.starts("physio-extra"))
    a.ask("count-physio", "How many times was I at physio this autumn?", "counting", "number", physio, a.event("physio"), a.event("physio-extra"),
          a.mail("pia-sick", "Tomorrow's session is off"), derived=True)
    a.ask("count-grace-january", "How many calls with Grace were scheduled in January 2026?", "counting", "number",
          len(a.starts("grace-call", date(2026, 1, 1), date(2026, 1, 31))), a.event("grace-call"), derived=True)
    a.ask("count-board-2026", "How often does the club board meet in 2026?", "counting", "number",
          len(a.starts("club-board", date(2026, 1, 1), date(2026, 12, 31))), a.event("club-board"), derived=True)
    a.ask("count-swimming-left", "How many swimming lessons does Emil still have?", "counting", "number", len(a.starts("swimming", first=TODAY)), a.event("swimming"), derived=True)
    moreau = [letter for letter in a.letters_from("lucas") if "facture" in letter.get("attach")]
    a.ask("count-moreau", "How many invoices did we get from Lyon for the cases?", "counting", "number", len(moreau),
          *(a.mail(letter.key, "Total à payer") for letter in moreau), derived=True)
    a.ask("count-boats", "How many boats are on the club's list?", "counting", "number", 4, a.document("club-boats.docx", "Frau Direktor"), derived=True)
    a.ask("count-paper-december", "How many times does the waste paper go out in December?", "counting", "number",
          len(a.starts("paper-bin", date(2026, 12, 1), date(2026, 12, 31))), a.event("paper-bin"), derived=True)
    a.ask("count-ergo-december", "How many ergometer evenings are there in December?", "counting", "number",
          len(a.starts("rowing-ergo", date(2026, 12, 1), date(2026, 12, 31))), a.event("rowing-ergo"), derived=True)


def sums(a):
    a.ask("sum-moreau", "What did Ateliers Moreau bill us in total?", "counting", "number", a.fact("moreau_1") + a.fact("moreau_2") + a.fact("moreau_3"),
          a.mail("lucas-devis", "4.820,00 EUR"), a.mail("lucas-2", "7.245,00 EUR"), a.mail("lucas-3", "2.960,00 EUR"), derived=True)
    months = sorted(HAVELSTROM)
    a.ask("sum-power", "How much have we paid Havelstrom for April to October?", "counting", "number", round(sum(HAVELSTROM.values()), 2),
          *(a.mail(f"havel-{month[5:]}", "Ihr Verbrauch im") for month in months), derived=True)
    names = dict(zip(months, "April Mai Juni Juli August September Oktober".split()))
    cheapest = min(months, key=HAVELSTROM.get)
    a.ask("power-lowest", "In which month did we use the least electricity?", "counting", "text", "July", a.mail(f"havel-{cheapest[5:]}", f"Ihr Verbrauch im {names[cheapest]}"),
          accept=["Juli"])
    a.ask("sum-garage", "How much did the brakes and the clutch cost me together?", "counting", "number", a.fact("garage_1") + a.fact("garage_2"),
          a.mail("pfeiffer-1", "438,60 €"), a.mail("pfeiffer-2", "612,40 €"), derived=True)
    a.ask("sum-deposit-back", "How much of the old deposit did Krüger actually have to pay back?", "counting", "number", a.fact("deposit_old") - a.fact("deposit_kept"),
          a.mail("notice-ack", "1.860,00"), a.mail("deposit-back", "behalte ich 140,00"), derived=True)
    a.ask("sum-move-note", "Adding up my moving note, what did the move cost?", "counting", "number", round(a.fact("movers_final") + 31.20 + 148.50, 2),
          a.note("moving.md", "Movers 1,290.00, forwarding 31.20, pizza for eleven people 148.50"), derived=True)
    a.ask("sum-meteors", "How many shooting stars did the two children count on eclipse night?", "counting", "number", 52 + 47,
          a.note("daily/2026-08-12.md", "Lotte 52, Emil 47"), derived=True)
    a.ask("sum-rent-rise", "By how much a month does our rent go up in January?", "counting", "number", a.fact("rent_2027") - a.fact("rent_new"),
          a.mail("rent-2027", "1.492,00 € statt bisher 1.465,00 €"), derived=True)
    a.ask("sum-lamps", "How many spots and wall washers together are in the show?", "counting", "number", 64 + 12,
          a.mail("mei-lamp", "64 spots, 12 wall washers"), derived=True)
