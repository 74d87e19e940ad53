"""Questions that need two or more kinds of files: mail and contacts, calendar and mail, a PDF and a note."""

from datetime import date


def ask(a):
    phones(a)
    people(a)
    plans(a)
    papers(a)


def phones(a):
    def phone(id, question, number, proof, book="address-book", **more):
        written = number if book == "old-phone" else number.replace(" ", "-")
        a.ask(id, question, "multi-hop", "text", number, proof, a.card(written, book), accept=[number.replace(" ", "-")], **more)

    phone("workshop-organiser-phone", "What's the phone number of the person who organises the corridor workshop on Thursday?", "+49 171 3920033", a.event("salt-workshop"))
    phone("numbers-organiser-phone", "How do I reach the person who runs our monthly figures meeting?", "+49 30 23125 219", a.event("numbers"))
    phone("site-walk-phone", "What is the office number of the woman who invited me to the site walk?", "+1 212 555 0146", a.event("site-walk"))
    phone("couriers-phone", "Which number do I ring about the couriers' arrival?", "+1 212 555 0148", a.event("couriers"))
    phone("parents-evening-phone", "What's the number of the teacher holding the parents' evening?", "+49 30 23125 404", a.event("parents-evening"))
    phone("board-organiser-phone", "What number has the organiser of the club board meetings?", "+49 30 23125 503", a.event("club-board"), "old-phone")
    phone("tooth-teacher-phone", "What's the number of the teacher who wrote about Emil's tooth?", "+49 30 23125 405",
          a.mail("emil-tooth", "Emil hat in der Pause seinen ersten Zahn verloren"), "old-phone")
    phone("pixel-appointment-phone", "Which number do I call to fix Pixel's December weigh-in?", "+49 30 23125 633",
          a.mail("odd-crlf", "Thursday 10 December at 8:40"), "old-phone")
    phone("refund-phone", "What's the phone number of the person who got me the tax refund?", "+49 30 23125 655", a.mail("stein-refund", "Sie bekommen 874 € zurück"), "old-phone")
    phone("regatta-cook-phone", "What's the number of whoever cooked at the regatta?", "+49 171 3920073", a.mail("regatta-cook", "I'll cook"))
    phone("boat-keeper-phone", "What's the phone number of the person who looks after Gisela?", "+49 171 3920076", a.document("club-boats.docx", "Gisela"), "old-phone")
    phone("hotel-phone", "What's the phone number of the place I stayed at in New York?", "+1 212 555 0173", a.note("new-york.md", "The Larkspur"), "old-phone")
    phone("installateur-verwaltung-de", "Welche Nummer hat die Frau, die uns den Installateur geschickt hat?", "+49 30 23125 330",
          a.mail("leak-plumber", "der Installateur (Firma Seidel) kommt"), language="de")
    phone("policy-phone", "Which number do I call about policy NL-HR-447120?", "+49 30 23125 700", a.document("police-nordlicht.pdf", "Police NL-HR-447120"), "old-phone")
    phone("physics-tom-phone", "What's the mobile number of the Tom who teaches at Lotte's school?", "+49 171 3920070",
          a.mail("toma-job", "I teach physics at the Weiher school"), notes="Tom Ashworth, not Tom Becker")


def people(a):
    a.ask("cases-town", "In which town were the nine display cases made?", "multi-hop", "text", "Lyon", a.mail("lucas-devis", "pour les neuf vitrines"), a.card("12 quai des Tanneurs"))
    a.ask("salt-path-birthday", "When is the birthday of whoever chose October's book?", "multi-hop", "text", "28 July", a.note("books.md", "The Salt Path of Birds"),
          a.card("Kofi Mensah"), accept=["July 28", "1979-07-28", "28.07."], derived=True)
    a.ask("pram-where", "To which address am I bringing the pram?", "multi-hop", "text", "8 venelle du Moulin Gris", a.mail("ines-elise", "I'll clean the pram and bring it after Christmas"),
          a.card("8 venelle du Moulin Gris"), accept=["8 venelle du Moulin Gris, Quimper", "Quimper"])
    a.ask("site-walk-load", "What floor load did the engineer confirm who joined us on the site walk?", "multi-hop", "text", "490 kg/m²",
          a.event("site-walk", "Walter Finch, our engineer, joins"), a.note("meetings/2026-05-19-site-walk.md", "Walter Finch confirms 490 kg/m²"), accept=["490"])
    a.ask("aden-request", "What did Granny ask for in the letter Dad scanned as number seven?", "multi-hop", "text", "reeds for the clarinet",
          a.mail("roy-letters", "Do send reeds for the clarinet"), a.note("gifts.md", "archival folders for the Aden letters"), accept=["clarinet reeds", "reeds"])
    a.ask("december-book", "Which book do we discuss on 16 December?", "multi-hop", "text", "Instructions for Fog", a.note("books.md", "Instructions for Fog"), a.event("book-dec"))
    a.ask("unicycle-day", "What did Ingrid give Lotte on the day Dad was operated?", "multi-hop", "text", "a unicycle with a friend",
          a.note("daily/2026-02-12.md", "is a unicycle with a friend"), a.mail("helen-hip-done", "It went beautifully"), accept=["two unicycles", "unicycle", "unicycles"])
    a.ask("wedding-dress", "What did I wear to the wedding I flew home from on 6 September?", "multi-hop", "text", "the green dress",
          a.event("flight-home"), a.note("reading-wedding.md", "Dress: the green one"), accept=["the green one", "green"])


def plans(a):
    a.ask("collision-11-dec", "Which two evening things collide on 11 December?", "multi-hop", "list", "the club dinner and the studio's December party",
          a.mail("dinner-moved", "We eat one day earlier"), a.event("party"), items=["club dinner", "December party"], derived=True)
    a.ask("smoke-pickup", "By what time do I have to pick up the children on the day of the smoke detectors?", "multi-hop", "text", "13:30",
          a.mail("app-3", "Bitte holen Sie Ihr Kind bis 13:30 Uhr ab"), a.event("smoke-detectors"), accept=["13:30 Uhr", "1:30 pm"])
    a.ask("course-guests", "Who will be staying with us while I'm at the bread course?", "multi-hop", "list", "Zoe and Ravi",
          a.mail("zoe-visit", "We could come from Friday 15 January"), a.event("bread-course"), a.event("zoe-visit"), items=["Zoe", "Ravi"])
    a.ask("board-salt", "What keeps me from going to the club board in December?", "multi-hop", "text", "Salt Roads pitch",
          a.event("club-board"), a.event("salt-pitch"), a.mail("tom-salt", "Thursday 3 December, 14:00, their place"), accept=["the pitch in Salzburg", "Salzburg", "Salt Roads"])
    a.ask("train-salzburg", "How many seats did I say I'd book for the 6:28 on pitch day?", "multi-hop", "number", 3,
          a.event("salt-train"), a.mail("salt-reply", "I'll book the trains on Friday, three seats"), accept=["three"])
    a.ask("tuv-morning", "How early does the car have to be at the garage on inspection day?", "multi-hop", "text", "7:30",
          a.mail("pfeiffer-tuv-reply", "Auto bitte bis 7:30 Uhr bringen"), a.event("tuv"), accept=["07:30", "7:30 Uhr"])
    a.ask("geminids", "Which shower of shooting stars falls between the club dinner and book circle in December?", "multi-hop", "text", "Geminids",
          a.document("saved-perseids.html", "night from 13 to 14 December"), a.event("book-dec"))
    a.ask("swap-days", "How many days were there between getting the keys and moving in?", "multi-hop", "number", (date(2026, 3, 21) - date(2026, 3, 13)).days,
          a.mail("lease", "Freitag, den 13. März"), a.event("move"), derived=True)


def papers(a):
    a.ask("ferritin-rise", "By how much did my ferritin rise between the two blood tests?", "multi-hop", "number", a.fact("ferritin_2") - a.fact("ferritin_1"),
          a.document("laborbefund-2026-02.pdf", "18 ng/ml"), a.mail("vogt-lab-2", "Ferritin 41 ng/ml"), derived=True)
    a.ask("volga-case", "In which case hangs the map that Oleg let us use?", "multi-hop", "text", "V3", a.mail("plan-sent", "V3"),
          a.note("tidelines.md", "Volga River Archive, sheet 31"))
    a.ask("train-original", "What was the original departure of the train that then left Berlin at 5:42?", "multi-hop", "text", "06:04",
          a.document("itinerary-brittany.pdf", "06:04"), a.mail("trip-change", "22 minutes earlier than planned"), accept=["6:04"])
    a.ask("stone-warranty-until", "Until when is my baking stone under warranty?", "multi-hop", "date", a.day("shop-oven").replace(year=a.day("shop-oven").year + 3),
          a.document("oven-b40-manual.pdf", "three years from the date of the invoice"), a.mail("shop-oven", "Garantie: drei Jahre ab Rechnungsdatum"))
    a.ask("rent-lift", "What will the lift cost us each month from January?", "multi-hop", "number", 31.00,
          a.mail("rent-2027", "Die Aufstellung liegt bei"), a.document("nebenkosten-2027.docx", "31,00 €"), accept=["31,00 €"])
    a.ask("power-meter", "How many kilowatt hours did we use in the new flat from moving in until the first of October?", "multi-hop", "number", 12204 - a.fact("meter_new"),
          a.mail("meter", "10877 kWh"), a.note("zählerstände.txt", "Strom 12.204"), derived=True)
    a.ask("hort-winter", "Is after-school care open when we leave for Quimper?", "multi-hop", "text", "no", a.document("hort-brief.docx", "Mittwoch, 23. Dezember 2026 bis Freitag, 1. Januar 2027"),
          a.event("quimper"), accept=["closed", "Winterpause"], derived=True)
