"""Everyone in the sample life. All invented: names by chance only, numbers reserved for fiction,
addresses under the reserved domains, postcodes that do not exist."""

from dataclasses import dataclass, field


@dataclass
class Person:
    key: str
    given: str
    family: str
    mails: list
    phones: list = field(default_factory=list)  # (label, number); the first is the preferred one
    address: tuple = ()  # street, town, postcode, country
    birthday: str = ""  # ISO date, or --MM-DD where the year is unknown
    org: str = ""
    title: str = ""
    nickname: str = ""
    note: str = ""
    zone: str = "Europe/Berlin"
    language: str = "en"
    signature: str = ""
    card: bool = True  # whether she keeps a contact card for them

    @property
    def name(self):
        return f"{self.given} {self.family}".strip()

    @property
    def mail(self):
        return self.mails[0]


P = Person
OWNER = P("ines", "Ines", "Calder", ["ines@calder.example", "ines.calder@studiofennel.example"],
          [("cell", "+49 171 3920001")], ("Am Alten Speicher 5", "Berlin", "10001", "Germany"),
          "1987-05-04", "Studio Fennel", "Senior exhibition designer")

PEOPLE = [
    OWNER,
    # Family
    P("felix", "Felix", "Brandt", ["felix@brandt.example"], [("cell", "+49 171 3920002")],
      ("Am Alten Speicher 5", "Berlin", "10001", "Germany"), "1985-11-09", nickname="Fee",
      note="Teaches cello at the music school, Tuesdays and Thursdays until 19:00."),
    P("helen", "Helen", "Calder", ["helen.calder@example.org"], [("home", "+44 117 496 0142"), ("cell", "+44 7700 900142")],
      ("3 Quarry Steps", "Bristol", "BS0 0AA", "United Kingdom"), "1956-02-27", nickname="Mum", zone="Europe/London",
      signature="Lots of love,\nMum xx"),
    P("roy", "Roy", "Calder", ["roy.calder@example.org"], [("cell", "+44 7700 900143")],
      ("3 Quarry Steps", "Bristol", "BS0 0AA", "United Kingdom"), "1954-08-19", nickname="Dad", zone="Europe/London"),
    P("elise", "Elise", "Le Goff", ["elise.legoff@example.net"], [("cell", "+33 6 39 98 04 71")],
      ("8 venelle du Moulin Gris", "Quimper", "29999", "France"), "1990-10-16", nickname="Lise", zone="Europe/Paris",
      note="Sister. New French number since April 2026; the old one (+33 6 39 98 01 15) is dead."),
    P("yann", "Yann", "Le Goff", ["yann.legoff@example.net"], [("cell", "+33 6 39 98 02 36")],
      ("8 venelle du Moulin Gris", "Quimper", "29999", "France"), "1988-06-21", zone="Europe/Paris", language="fr",
      signature="À bientôt,\nYann"),
    P("ingrid", "Ingrid", "Brandt", ["ingrid.brandt@example.org"], [("home", "+49 40 66969 118")],
      ("Krähenstieg 21", "Hamburg", "20000", "Germany"), "1952-12-06", nickname="Oma Ingrid", language="de",
      signature="Seid umarmt\nIngrid"),
    P("matthias", "Matthias", "Brandt", ["matthias.brandt@example.com"], [("cell", "+49 171 3920017")],
      ("Lotsenweg 4", "Kiel", "24000", "Germany"), "1981-03-30", org="Förde Segelmacher", language="de"),
    # Work
    P("tomb", "Tom", "Becker", ["tom.becker@studiofennel.example"], [("work", "+49 30 23125 210"), ("cell", "+49 171 3920021")],
      org="Studio Fennel", title="Managing partner", signature="Tom Becker\nStudio Fennel, Berlin\n+49 30 23125 210"),
    P("priya", "Priya", "Raman", ["priya.raman@studiofennel.example", "priya@raman.example"],
      [("cell", "+49 171 3920033")], ("Kolkgasse 9", "Berlin", "10003", "Germany"), "1991-01-23",
      "Studio Fennel", "Structural engineer", signature="Priya"),
    P("jonas", "Jonas", "Keller", ["jonas.keller@atelier-nord.example", "jonas.keller@studiofennel.example"],
      [("cell", "+49 171 3920034")], org="Atelier Nord", title="Head of graphics",
      note="Left Studio Fennel on 30 June 2026."),
    P("mei", "Mei", "Tanaka", ["mei.tanaka@studiofennel.example"], [("work", "+49 30 23125 214")],
      org="Studio Fennel", title="Lighting designer", birthday="--07-07", signature="mei"),
    P("grace", "Grace", "Whitfield", ["gwhitfield@brightwater.example"], [("work", "+1 212 555 0146"), ("cell", "+1 917 555 0127")],
      ("400 Ferry Slip", "New York", "NY 10000", "USA"), "--04-18", "Brightwater Museum", "Curator of Rivers",
      zone="America/New_York", signature="Grace Whitfield\nCurator of Rivers, Brightwater Museum\n+1 212 555 0146"),
    P("daniel", "Daniel", "Okoye", ["dokoye@brightwater.example"], [("work", "+1 212 555 0148")],
      org="Brightwater Museum", title="Registrar", zone="America/New_York", signature="Daniel Okoye, Registrar"),
    P("lucas", "Lucas", "Moreau", ["lucas@ateliers-moreau.example"], [("work", "+33 4 65 71 20 08"), ("cell", "+33 6 39 98 07 54")],
      ("12 quai des Tanneurs", "Lyon", "69999", "France"), org="Ateliers Moreau", title="Gérant", zone="Europe/Paris",
      language="fr", signature="Lucas Moreau\nAteliers Moreau, Lyon\n04 65 71 20 08"),
    P("haruka", "Haruka", "Ito", ["haruka.ito@hikari-lab.example"], [("work", "+81 3 5550 0199")],
      org="Hikari Lab", title="Daylight consultant", zone="Asia/Tokyo", note="Name in Japanese: 伊藤 遥"),
    P("oleg", "Oleg", "Sorokin", ["sorokin@volga-archive.example"], [], org="Volga River Archive", title="Archivist",
      zone="Europe/Moscow"),
    P("nadia", "Nadia", "Ferrand", ["nadia.ferrand@studiofennel.example"], [("work", "+49 30 23125 219")],
      org="Studio Fennel", title="Office manager", signature="Nadia Ferrand · office@studiofennel.example"),
    # House
    P("krueger", "Werner", "Krüger", ["w.krueger@example.net"], [("home", "+49 30 23125 301")],
      ("Walnussweg 14", "Berlin", "10002", "Germany"), note="Landlord of the old flat, Walnussweg 12.", language="de",
      signature="Mit freundlichem Gruß\nW. Krüger"),
    P("demir", "Aylin", "Demir", ["aylin.demir@example.com"], [("cell", "+49 171 3920044")],
      note="Owns the flat at Am Alten Speicher 5. Repairs go to Sabine Roth, not to her.", title="Dr.", language="de"),
    P("roth", "Sabine", "Roth", ["s.roth@speicherhof.example"], [("work", "+49 30 23125 330")],
      ("Am Alten Speicher 1", "Berlin", "10001", "Germany"), org="Speicherhof Hausverwaltung", title="Verwalterin", language="de",
      signature="Sabine Roth\nSpeicherhof Hausverwaltung\nTel. 030 23125 330 (Mo–Do 9–12 Uhr)"),
    P("hartmann", "Dirk", "Hartmann", ["buero@umzuege-hartmann.example"], [("work", "+49 30 23125 341")],
      org="Umzüge Hartmann", language="de", signature="Umzüge Hartmann\nDirk Hartmann"),
    P("adler", "Stefan", "Adler", ["werkstatt@kuechen-adler.example"], [("work", "+49 30 23125 352")],
      org="Küchen Adler", title="Tischlermeister", signature="Stefan Adler\nKüchen Adler"),
    P("wendt", "Hannelore", "Wendt", [], [("home", "+49 30 23125 307")], ("Walnussweg 12", "Berlin", "10002", "Germany"),
      note="Old neighbour, first floor. Has Pixel's second carrier.", birthday="1944-09-02"),
    P("rashid", "Rashid", "Aziz", ["rashid.aziz@example.org"], [("cell", "+49 171 3920052")],
      ("Am Alten Speicher 5", "Berlin", "10001", "Germany"), note="Third floor. Has our spare key."),
    # School and children
    P("sommer", "Anna", "Sommer", ["a.sommer@schule-am-weiher.example"], [("work", "+49 30 23125 404")],
      org="Grundschule am Weiher", title="Class teacher 4b", language="de", signature="Anna Sommer\nKlassenleitung 4b"),
    P("nowak", "Piotr", "Nowak", ["p.nowak@schule-am-weiher.example"], [("work", "+49 30 23125 405")],
      org="Grundschule am Weiher", title="Class teacher 1a", language="de", signature="P. Nowak, Klasse 1a"),
    P("lehmann", "Ute", "Lehmann", ["hort@schule-am-weiher.example"], [("work", "+49 30 23125 409")],
      org="Hort am Weiher", title="Leitung", language="de", signature="Ute Lehmann, Hort am Weiher"),
    P("annak", "Anna", "Kowalska", ["anna.kowalska@example.com"], [("cell", "+49 171 3920061")],
      note="Mila's mother (Lotte's friend, 4b). Tall red bicycle.", birthday="--11-30"),
    P("nele", "Nele", "Vogel", ["nele.vogel@example.net"], [("cell", "+49 171 3920063")], note="Babysitter."),
    P("aurel", "Aurel", "Ionescu", ["aurel.ionescu@example.org"], [("cell", "+49 171 3920065")],
      note="Lotte's piano teacher.", signature="A. Ionescu"),
    # Rowing club
    P("toma", "Tom", "Ashworth", ["tom.ashworth@havelreiher.example"], [("cell", "+49 171 3920070")],
      org="Ruderclub Havelreiher", title="Captain", birthday="--01-15", signature="Tom A.\n(the one with the megaphone)"),
    P("sigrid", "Sigrid", "Paulsen", ["kasse@havelreiher.example"], [("home", "+49 30 23125 503")],
      org="Ruderclub Havelreiher", title="Treasurer", signature="Sigrid Paulsen, Kassenwartin"),
    P("bea", "Beatrice", "Lindgren", ["bea.lindgren@example.org"], [("cell", "+49 171 3920073")], nickname="Bea",
      birthday="1983-10-02"),
    P("kofi", "Kofi", "Mensah", ["kofi.mensah@example.com"], [("cell", "+49 171 3920074")], nickname="Doc",
      note="Bow seat. Anaesthetist, never free on Mondays.", birthday="1979-07-28"),
    P("marek", "Marek", "Dvořák", ["marek.dvorak@example.net"], [("cell", "+49 171 3920076")],
      note="Boatwright; keeps the trailer.", signature="Marek"),
    # Health, car, money, cat
    P("vogt", "Annika", "Vogt", ["praxis@dr-vogt.example"], [("work", "+49 30 23125 601")],
      ("Brunnenhof 2", "Berlin", "10001", "Germany"), org="Praxis Dr. Vogt", title="Dr. med.", language="de",
      signature="Praxis Dr. med. Annika Vogt"),
    P("osei", "Samuel", "Osei", ["termine@zahn-osei.example"], [("work", "+49 30 23125 612")],
      org="Zahnarztpraxis Osei", title="Dr."),
    P("pia", "Pia", "Reuter", ["physio@reuter.example"], [("work", "+49 30 23125 620")], org="Physio Reuter",
      signature="Pia Reuter"),
    P("tierney", "Orla", "Tierney", ["surgery@tierney-vet.example"], [("work", "+49 30 23125 633")],
      org="Tierney Small Animal Practice", title="Vet", signature="Orla Tierney MVB"),
    P("pfeiffer", "Uwe", "Pfeiffer", ["auftrag@werkstatt-pfeiffer.example"], [("work", "+49 30 23125 640")],
      org="Werkstatt Pfeiffer", language="de", signature="Uwe Pfeiffer\nKfz-Meisterbetrieb"),
    P("stein", "Claudia", "Stein", ["kanzlei@steuer-stein.example"], [("work", "+49 30 23125 655")],
      org="Steuerberatung Stein", title="Steuerberaterin", language="de", signature="Claudia Stein\nSteuerberaterin"),
    # Friends and the trip
    P("zoe", "Zoe", "Hartley", ["zoe.hartley@example.com"], [("cell", "+44 7700 900188")],
      ("Flat 2, 19 Saffron Row", "London", "E0 0ZZ", "United Kingdom"), "1987-08-03", zone="Europe/London",
      signature="Z x"),
    P("ravi", "Ravi", "Deshmukh", ["ravi.deshmukh@example.com"], [("cell", "+44 7700 900189")], zone="Europe/London"),
    P("tanguy", "Soizic", "Tanguy", ["gite@kerlann.example"], [("home", "+33 2 61 91 33 40")],
      ("Ty Kerlann, route des Ajoncs", "Plougastel-les-Bois", "29998", "France"), org="Gîte Ty Kerlann", language="fr",
      zone="Europe/Paris", signature="Soizic Tanguy\nGîte Ty Kerlann"),
    P("leni", "Leni", "Moser", ["leni.moser@example.org"], [("cell", "+49 171 3920081")], note="Sourdough starter came from her."),
    # Senders without a card: machines, shops, lists, strangers
    P("havelstrom", "Havelstrom", "Kundenservice", ["service@havelstrom.example"], language="de", card=False),
    P("spreebank", "Spreebank", "", ["mitteilung@spreebank.example"], language="de", card=False),
    P("nordlicht", "Nordlicht", "Versicherung", ["vertrag@nordlicht.example"], [("work", "+49 30 23125 700")], language="de", org="Nordlicht Versicherung",
      note="Claims line; contents policy."),
    P("kabelino", "Kabelino", "", ["info@kabelino.example"], card=False),
    P("rails", "Gleisweit", "Tickets", ["tickets@gleisweit.example"], card=False),
    P("library", "Stadtbücherei", "Speicherviertel", ["ausleihe@buecherei.example"], language="de", card=False),
    P("parcel", "Paketwiesel", "", ["noreply@paketwiesel.example"], language="de", card=False),
    P("fluss", "Fluss & Form", "", ["brief@fluss-und-form.example"], card=False),
    P("grain", "The Slow Grain", "", ["letter@slowgrain.example"], card=False),
    P("darksky", "Dark Sky Notes", "", ["notes@darksky.example"], card=False),
    P("schoolapp", "Weiher-App", "", ["noreply@weiher-app.example"], language="de", card=False),
    P("build", "fennel-drawings", "", ["robot@drawings.studiofennel.example"], card=False),
    P("daemon", "Mail Delivery System", "", ["mailer-daemon@mx.calder.example"], card=False),
    P("shop", "Ofenfrisch Versand", "", ["bestellung@ofenfrisch.example"], language="de", card=False),
    P("larkspur", "The Larkspur Hotel", "", ["stay@larkspur.example"], [("work", "+1 212 555 0173")], zone="America/New_York", org="The Larkspur Hotel"),
    P("clublist", "Havelreiher list", "", ["havelreiher@lists.example"], card=False),
    P("spam", "", "", ["winner@prize-desk.example"], card=False),
]

BY_KEY = {person.key: person for person in PEOPLE}
