"""Questions that one source answers: mails, documents, notes, contact cards."""


def ask(a):
    house(a)
    family_and_trip(a)
    more_german_and_french(a)
    work(a)
    everyday(a)
    contacts(a)


def house(a):
    a.ask("cellar-number", "Welcher Kellerraum gehört zu unserer Wohnung?", "single-hop", "number", 11,
          a.mail("lease-answer", "es ist allerdings die Nr. 11"), a.document("mietvertrag-am-alten-speicher.pdf", "Kellerraum Nr. 11"), language="de")
    a.ask("deposit-instalments", "In how many instalments may we pay the deposit for the flat?", "single-hop", "text", "three",
          a.mail("lease-answer", "ja, drei Raten sind Ihr gutes Recht"), accept=["drei Raten", "3", "three instalments"])
    a.ask("new-deposit", "How big is the security deposit for our current flat?", "single-hop", "number", a.fact("deposit_new"),
          a.document("mietvertrag-am-alten-speicher.pdf", "Die Mieter leisten eine Kaution von 3.420,00 €"))
    a.ask("flat-size", "Wie viele Quadratmeter hat die Wohnung laut Mietvertrag?", "single-hop", "number", 104,
          a.document("mietvertrag-am-alten-speicher.pdf", "Wohnfläche von 104 Quadratmetern"), language="de")
    a.ask("music-hours", "Until what time may Felix play the cello on a weekday under our rental contract?", "single-hop", "text", "20:00",
          a.document("mietvertrag-am-alten-speicher.pdf", "bis 20 Uhr gespielt werden"), accept=["20 Uhr", "8 pm", "8 p.m."])
    a.ask("notice-period", "Mit welcher Frist können wir die Wohnung kündigen?", "single-hop", "text", "drei Monate",
          a.document("mietvertrag-am-alten-speicher.pdf", "mit einer Frist von drei Monaten"), accept=["drei Monaten", "three months", "3 Monate", "3 months"], language="de")
    a.ask("piano-movers", "How much of the removal bill was for getting the piano across?", "single-hop", "number", 164.00,
          a.mail("movers-invoice", "164,00 €"))
    a.ask("kitchen-second-instalment", "How much was left to pay on the kitchen in the end?", "single-hop", "number", 5068.00,
          a.document("kueche-schlussrechnung.pdf", "To pay 5,068.00 EUR"),
          notes="kitchen price less thirty per cent")
    a.ask("worktop-oil", "What am I supposed to treat the kitchen counter with?", "single-hop", "text", "linseed oil",
          a.document("kueche-schlussrechnung.pdf", "Oil the worktop twice a year with linseed oil"))
    a.ask("boiler-f22", "The heating shows F22, what does that mean?", "single-hop", "text", "too little water",
          a.document("boiler-page.pdf", "too little water"))
    a.ask("boiler-pressure", "What pressure should I fill the boiler up to?", "single-hop", "number", "1.5",
          a.document("boiler-page.pdf", "until the needle is back at 1.5 bar"), accept=["1.5 bar"], derived=True)
    a.ask("leak-cause", "What turned out to be the cause of the drip under the sink?", "single-hop", "text", "Dichtung",
          a.mail("leak-done", "Es war die Dichtung"), accept=["the seal", "seal", "washer", "gasket"])
    a.ask("water-tap", "Where do I shut off the water for the whole flat?", "single-hop", "text", "cellar corridor, left of room 11",
          a.note("new-flat.md", "Main water tap: cellar corridor, left of room 11, red wheel"), accept=["cellar corridor", "red wheel"])
    a.ask("hall-paint", "What was the colour in the hallway called?", "single-hop", "text", "Lichen 4", a.note("new-flat.md", "Lichen 4"))
    a.ask("window-kitchen", "What size is the kitchen window?", "single-hop", "text", "98 × 120",
          a.note("new-flat.md", "kitchen 98 × 120 cm"), accept=["98 x 120", "98x120"])
    a.ask("jam-box", "Which box did the jam travel in?", "single-hop", "number", 19, a.note("moving.md", "The jam did come along. Box 19."))
    a.ask("deposit-withheld-why", "Why did our old landlord keep back part of the money?", "single-hop", "text", "gesprungene Fliese im Bad",
          a.mail("deposit-back", "für die gesprungene Fliese im Bad"), accept=["cracked tile", "cracked bathroom tile", "tile in the bathroom"])
    a.ask("parcel-neighbour", "Who has the parcel that came on Friday while we were out?", "single-hop", "person", "Aziz",
          a.mail("parcel-1", "wurde heute bei Aziz, 3. OG, abgegeben"), accept=["Rashid Aziz", "Rashid"])
    a.ask("keller-nummer-de", "Wem gehört der Keller Nummer 7?", "single-hop", "person", "Herr Aziz",
          a.mail("lease-answer", "die Nr. 7 hat Herr Aziz"), accept=["Aziz", "Rashid Aziz"], language="de")
    a.ask("installateur-de", "Welche Firma hat das Wasser unter der Spüle repariert?", "single-hop", "text", "Seidel",
          a.mail("leak-plumber", "der Installateur (Firma Seidel)"), accept=["Firma Seidel"], language="de")


def family_and_trip(a):
    a.ask("aden-ship", "Which ship did Granny take to Aden?", "single-hop", "text", "Caledon Star",
          a.mail("roy-letters", "It was the Caledon Star, not the Castle"))
    a.ask("proposal-where", "Where did Ravi pop the question?", "single-hop", "text", "on a bus",
          a.mail("zoe-wedding", "Ravi proposed!!! On a bus!!!"), accept=["bus"])
    a.ask("ingrid-dog-name", "Wie heißt Ingrids Hund?", "single-hop", "text", "Käpt'n",
          a.mail("ingrid-hund", "Er heißt Käpt'n"), language="de")
    a.ask("goose-weight", "How heavy is the Christmas bird Ingrid ordered?", "single-hop", "number", "2.5",
          a.mail("ingrid-weihnachten", "zweieinhalb Kilo"), accept=["zweieinhalb Kilo", "2,5"], derived=True)
    a.ask("who-dropped-phone", "Who was holding Elise's mobile when it went into the river?", "single-hop", "person", "Yann",
          a.mail("elise-number", "Yann was holding it"), accept=["Yann Le Goff"])
    a.ask("baby-when", "When is my sister's baby due?", "single-hop", "text", "end of March",
          a.mail("elise-news", "End of March, all well"), accept=["end of March 2027", "late March"])
    a.ask("wedding-present", "What did I buy as a present for Zoe's wedding?", "single-hop", "text", "the big blue bowl",
          a.note("people/zoe.md", "the big blue bowl by the potter in Quimper"), accept=["blue bowl", "bowl"])
    a.ask("reading-book", "Which book did I read from at the wedding?", "single-hop", "text", "A Year of Locks",
          a.note("reading-wedding.md", "from \"A Year of Locks\", p. 114"))
    a.ask("lotte-allergy", "What is Lotte allergic to?", "single-hop", "text", "hazelnuts",
          a.note("people/kids.md", "hazelnuts"), a.mail("annak-reply", "no hazelnuts, her lips swell up"))
    a.ask("emil-shoes", "What shoe size does Emil take now?", "single-hop", "number", 30, a.note("people/kids.md", "30 (October)"))
    a.ask("train-coach-out", "Which coach were our seats in on the way to Brittany?", "single-hop", "number", 7,
          a.document("itinerary-brittany.pdf", "coach 7, 61 to 64"))
    a.ask("train-price", "What did the summer train tickets cost altogether?", "single-hop", "number", 468.40,
          a.document("itinerary-brittany.pdf", "468.40 EUR, paid by card"))
    a.ask("arrive-quimper", "At what time were we due in Quimper on the outward journey in July?", "single-hop", "text", "19:51",
          a.document("itinerary-brittany.pdf", "19:51"), accept=["7:51 pm"])
    a.ask("gite-price-fr", "Combien coûtait la location du gîte pour les deux semaines ?", "single-hop", "number", a.fact("gite_total"),
          a.mail("tanguy-offre", "cela fait 1 340,00 €, draps compris"), language="fr", accept=["1 340,00", "1340 €"])
    a.ask("baker-days-fr", "Quels jours le boulanger passe-t-il devant l'église ?", "single-hop", "list", "mardi, vendredi",
          a.mail("tanguy-code", "le mardi et le vendredi"), items=["mardi", "vendredi"], language="fr")
    a.ask("hat-forgotten", "Qu'avons-nous oublié en Bretagne ?", "single-hop", "list", "un bob rouge et une chaussette",
          a.mail("yann-marche", "un bob rouge (Emil ?) et une seule chaussette de rameuse"), items=["bob rouge", "chaussette"], language="fr")
    a.ask("train-christmas-fr", "À quelle heure arrive notre train à Quimper le 27 décembre ?", "single-hop", "text", "18 h 24",
          a.mail("odd-digest-reply", "Oui, 18 h 24"), accept=["18:24", "18h24"], language="fr")
    a.ask("apple-jars-de", "Wie viele Gläser Apfelmus sind aus Ingrids Äpfeln geworden?", "single-hop", "number", 17,
          a.note("recipes/apple-sauce.md", "12 kg Boskoop gaben 17 Gläser"), language="de")
    a.ask("apple-kind", "What variety of apple did Ingrid send?", "single-hop", "text", "Boskoop", a.mail("odd-latin-as-utf8", "der Boskoop trägt wie verrückt"))
    a.ask("passport-lotte", "When does Lotte's passport run out?", "single-hop", "text", "14 June 2027",
          a.note("insurance-and-papers.md", "Lotte 14 June 2027"), accept=["2027-06-14", "June 14, 2027"])


def more_german_and_french(a):
    a.ask("katze-vertrag-de", "Steht die Katze im Mietvertrag?", "single-hop", "text", "ja", a.document("mietvertrag-am-alten-speicher.pdf", "Die Haltung einer Katze (Pixel) ist gestattet"),
          accept=["yes", "gestattet"], language="de", derived=True)
    a.ask("kautionsrest-de", "Wann wollte Herr Krüger die alte Kaution spätestens zurückzahlen, als wir kündigten?", "single-hop", "text", "im Juni",
          a.mail("notice-ack", "spätestens im Juni"), accept=["Juni", "June"], language="de")
    a.ask("winterdienst-de", "Wer macht jetzt den Winterdienst?", "single-hop", "text", "Grünwerk", a.mail("roth-winter", "von der Firma Grünwerk übernommen"),
          accept=["Firma Grünwerk"], language="de")
    a.ask("fahrrad-wert-de", "Bis zu welchem Wert sind unsere Fahrräder versichert?", "single-hop", "number", 2000, a.document("police-nordlicht.pdf", "Fahrräder bis 2.000 €"),
          accept=["2.000", "2.000 €"], language="de", derived=True)
    a.ask("elternabend-thema-de", "Worum geht es beim Elternabend am 1. Dezember?", "single-hop", "text", "die Empfehlung für die Oberschule",
          a.mail("elternabend", "Thema: die Empfehlung für die Oberschule"), accept=["Oberschule"], language="de")
    a.ask("passport-first", "Whose passport in the family runs out first?", "single-hop", "person", "Emil", a.note("insurance-and-papers.md", "Emil 20 May 2027"))
    a.ask("cle-v2-fr", "Quelle vitrine était livrée sans clé ?", "single-hop", "text", "V2", a.mail("lucas-montage-2", "celle de V2"), language="fr")
    a.ask("fond-vitrines-fr", "De quoi est fait le fond des vitrines ?", "single-hop", "text", "lin naturel", a.mail("lucas-answers", "Lin naturel"), accept=["lin"], language="fr")
    a.ask("couleur-chambre-fr", "De quelle couleur Yann repeint-il la petite chambre ?", "single-hop", "text", "jaune",
          a.mail("odd-digest", "Je repeins la petite chambre, en jaune"), accept=["en jaune", "yellow"], language="fr")
    a.ask("bateau-fr", "Combien de temps Yann a-t-il peint son bateau ?", "single-hop", "text", "six semaines",
          a.mail("yann-bateau", "après six semaines de peinture"), accept=["six weeks"], language="fr")
    a.ask("depart-fr", "Quand quittons-nous Quimper après Noël ?", "single-hop", "text", "1er janvier", a.mail("odd-digest-reply", "jusqu'au 1er janvier au matin"),
          accept=["2027-01-01", "1 January", "1er janvier au matin"], language="fr")


def work(a):
    a.ask("paper-lux", "How much light can the paper maps take at most?", "single-hop", "number", 50,
          a.mail("haruka-light", "The paper maps must stay under 50"), accept=["50 lux"])
    a.ask("skylight-peak", "What was the brightest reading under the skylight?", "single-hop", "number", 8400,
          a.mail("haruka-light", "skylight peaks at 8400 lux at noon"), accept=["8400 lux"])
    a.ask("map-credit", "How must the old Volga map be credited?", "single-hop", "text", "Volga River Archive, sheet 31",
          a.mail("oleg-map", "Volga River Archive, sheet 31"))
    a.ask("slab-load", "What load can the museum floor really carry under the table?", "single-hop", "number", 490,
          a.mail("priya-loads", "The museum's slab takes 490 kg/m²"), accept=["490 kg/m²"])
    a.ask("case-weight-fr", "Combien pèse chaque caisse de vitrines ?", "single-hop", "number", 140,
          a.mail("lucas-retard", "Chaque caisse pèse 140 kg"), accept=["140 kg"], language="fr")
    a.ask("hinges", "What metal are the display case hinges made of?", "single-hop", "text", "brass",
          a.note("meetings/2026-01-14-lucas.md", "Hinges: brass, not steel"), accept=["laiton"])
    a.ask("opening-guests", "How many people turned up on opening night?", "single-hop", "number", 612,
          a.mail("opening-morning", "612 people last night"))
    a.ask("month-visitors", "How many visitors did the exhibition have in its first month?", "single-hop", "number", a.fact("visitors"),
          a.mail("grace-visitors", "visitors, which is more than the dinosaurs had"))
    a.ask("extension-until", "Until when does the museum want to keep the show on?", "single-hop", "text", "May 30, 2027",
          a.mail("grace-visitors", "until Sunday, May 30, 2027"), accept=["30 May 2027", "2027-05-30", "Sunday, May 30"])
    a.ask("label-height", "How low should the children's text sit in the end?", "single-hop", "number", 62,
          a.mail("grace-label", "should sit at 62 cm, not 70"), accept=["62 cm"])
    a.ask("longest-label", "How many words may our longest label have?", "single-hop", "number", 75,
          a.mail("grace-minutes", "75 words"))
    a.ask("legs", "How many legs did the river table end up with?", "single-hop", "number", 12,
          a.mail("ines-cuts", "twelve"), a.note("meetings/2026-09-01-standup.md", "table legs arrived, twelve"), accept=["twelve"])
    a.ask("salt-weight", "How heavy would the salt corridor be as drawn?", "single-hop", "number", 19,
          a.mail("priya-salt", "19 tonnes"), accept=["19 tonnes"])
    a.ask("drop-interval", "How often does the drop fall in the first room?", "single-hop", "text", "every eleven seconds",
          a.mail("plan-sent", "one drop of water every eleven seconds"), accept=["11 seconds", "eleven seconds"])
    a.ask("font-licence", "How long are the exhibition fonts licensed for?", "single-hop", "text", "31 May 2027",
          a.note("meetings/2026-06-30-jonas-handover.md", "Fonts licensed until 31 May 2027"), accept=["2027-05-31"])
    a.ask("hotel-ny", "Where did I stay in New York in May?", "single-hop", "text", "The Larkspur",
          a.mail("larkspur", "Quiet courtyard room"), a.note("new-york.md", "The Larkspur, LK-88213"), accept=["Larkspur", "The Larkspur Hotel"])
    a.ask("laptop-serial", "What's the serial number of my work laptop?", "single-hop", "text", "FN-2026-014",
          a.mail("studio-laptop", "Serial FN-2026-014"))
    a.ask("party-where", "Where is the studio's December do?", "single-hop", "text", "the bowling place behind the goods station",
          a.mail("nadia-party", "at the bowling place behind the goods station"), accept=["bowling", "bowling behind the goods station"])


def everyday(a):
    a.ask("iron-how", "Wie soll ich das Eisen einnehmen?", "single-hop", "text", "morgens, nicht mit Kaffee",
          a.mail("vogt-lab", "drei Monate lang, morgens, nicht mit Kaffee"), accept=["in the morning", "morgens", "not with coffee"], language="de")
    a.ask("vitamin-d", "What was my vitamin D in February?", "single-hop", "number", a.fact("vitamin_d"),
          a.document("laborbefund-2026-02.pdf", "22 ng/ml"), accept=["22 ng/ml"])
    a.ask("clutch-price-de", "Wie hoch war die Rechnung für die Kupplung?", "single-hop", "number", a.fact("garage_2"),
          a.mail("pfeiffer-2", "die Kupplung ist drin, 612,40 €"), language="de")
    a.ask("car-km", "How many kilometres were on the car when the clutch was done?", "single-hop", "number", 131905,
          a.mail("pfeiffer-2", "Kilometerstand 131.905"), accept=["131.905"], derived=True)
    a.ask("roof-box-key", "Where's the key for the roof box?", "single-hop", "text", "on the nail",
          a.note("car.md", "Roof box lives in cellar 11, key on the nail"))
    a.ask("chip-number", "What is the cat's chip number?", "single-hop", "text", a.fact("chip"),
          a.mail("tierney-chip", "Chip number"), accept=["276099900014471"])
    a.ask("cat-food", "How much is Pixel allowed to eat a day?", "single-hop", "text", "60 grams",
          a.mail("tierney-diet", "60 grams of the dry food a day"), accept=["60 g"])
    a.ask("claim-paid", "Wie viel hat die Versicherung für den aufgequollenen Schrank gezahlt?", "single-hop", "number", 310.00,
          a.mail("nordlicht-paid", "wir erstatten Ihnen für den Schaden 310,00 €"), language="de")
    a.ask("boats-insured", "Does our contents insurance cover boats?", "single-hop", "text", "no",
          a.document("police-nordlicht.pdf", "Nicht mitversichert: Boote"), accept=["nein", "not covered", "Nicht mitversichert"])
    a.ask("tax-refund", "Wie viel Steuer bekommen wir für 2025 zurück?", "single-hop", "number", 874,
          a.mail("stein-refund", "Sie bekommen 874 € zurück"), language="de")
    a.ask("starter-name", "What is my sourdough called?", "single-hop", "text", "Gundula", a.mail("leni-starter", "the starter is called Gundula"))
    a.ask("bread-salt", "How much salt goes into the house loaf?", "single-hop", "text", "13 g", a.note("recipes/house-bread.md", "13 g salt"), accept=["13 grams"])
    a.ask("crackers-oven", "How long do the rye crackers bake?", "single-hop", "text", "38 minutes",
          a.document("saved-rye-crackers.html", "Bake at 170 degrees for 38 minutes"), accept=["38 min"])
    a.ask("lentil-secret", "What's Bea's trick with the stew?", "single-hop", "text", "vinegar", a.note("recipes/lentil-stew.md", "The vinegar is the whole secret"))
    a.ask("stone-max", "How hot may the baking stone get?", "single-hop", "number", 400,
          a.document("oven-b40-manual.pdf", "The highest permitted temperature is 400 degrees"), accept=["400 degrees"])
    a.ask("gisela-blame", "Who cracked the boat?", "single-hop", "person", "Kofi Mensah",
          a.mail("gisela-confess", "It was us, last Sunday, bow first, my fault"), accept=["Kofi"])
    a.ask("gisela-material", "What did the material for mending the boat cost?", "single-hop", "number", 87, a.mail("gisela-back", "The material was 87 euros"))
    a.ask("regatta-eight", "How far behind was our mixed eight at the regatta?", "single-hop", "text", "0.8 s",
          a.mail("regatta-result", "2nd (0.8 s behind Werder)"), accept=["0.8 seconds"])
    a.ask("bread-course-cost", "How much is the baking course in January?", "single-hop", "number", 95, a.mail("grain-3", "Berlin 16 January (12 places, 95 euros)"))
    a.ask("course-place", "Which place number do I have on the bread course?", "single-hop", "number", 11, a.mail("grain-course-ok", "you have place 11 of 12"))
    a.ask("tooth-where", "Where is Emil's tooth?", "single-hop", "text", "in einer Streichholzschachtel im Ranzen",
          a.mail("emil-tooth", "in einer Streichholzschachtel im Ranzen, vorderes Fach"), accept=["matchbox", "Streichholzschachtel", "school bag"])
    a.ask("rucksack-bahnhof-de", "Von welchem Gleis fuhr Lotte zur Klassenfahrt ab?", "single-hop", "number", 6,
          a.mail("klassenfahrt", "Bahnhof Gesundbrunnen, Gleis 6"), accept=["Gleis 6"], language="de")
    a.ask("umbrella", "What are the parents buying for Lotte's teacher?", "single-hop", "text", "a really good umbrella",
          a.mail("odd-bcc", "for a really good umbrella"), accept=["umbrella"])
    a.ask("lemon-cake", "Whom did Felix promise a cake for the concert interval?", "single-hop", "person", "Ionescu",
          a.mail("felix-concert", "i promised Ionescu a lemon cake"), accept=["Aurel Ionescu", "Aurel"])
    a.ask("ergo-best", "What's my best time over two kilometres on the machine?", "single-hop", "text", "8:19", a.note("rowing.md", "8:19"))


def contacts(a):
    a.ask("kofi-nickname", "What's Kofi's nickname?", "contact", "text", "Doc", a.card("Doc"))
    a.ask("parents-street", "Which street do my parents live in?", "contact", "text", "3 Quarry Steps", a.card("3 Quarry Steps"), accept=["Quarry Steps"])
    a.ask("boss-mobile", "What is my boss's mobile number?", "contact", "text", "+49 171 3920021", a.card("+49-171-3920021"),
          accept=["+49-171-3920021"], notes="Tom Becker, not Tom Ashworth")
    a.ask("priya-private", "What's Priya's private e-mail address?", "contact", "text", "priya@raman.example", a.card("priya@raman.example"))
    a.ask("red-bicycle", "Which of the two Annas has the red bicycle?", "contact", "person", "Anna Kowalska", a.card("Tall red bicycle"), accept=["Kowalska"])
    a.ask("matthias-address", "Where does Felix's brother live?", "contact", "text", "Lotsenweg 4", a.card("Lotsenweg 4", "old-phone"), accept=["Lotsenweg 4, 24000 Kiel", "Kiel"])
    a.ask("pfeiffer-nummer-de", "Welche Telefonnummer hat die Autowerkstatt?", "contact", "text", "+49 30 23125 640",
          a.card("+49 30 23125 640", "old-phone"), accept=["030 23125 640"], language="de")
    a.ask("gite-phone-fr", "Quel est le numéro de téléphone de Madame Tanguy ?", "contact", "text", "+33 2 61 91 33 40",
          a.card("+33-2-61-91-33-40"), accept=["+33-2-61-91-33-40", "02 61 91 33 40"], language="fr")
    a.ask("repairs-who", "If something breaks in the flat, do I ring the owner or somebody else?", "contact", "person", "Sabine Roth",
          a.card("Repairs go to Sabine Roth, not to her."), accept=["Roth", "Frau Roth"])
    a.ask("starter-giver", "Who did I get the sourdough from?", "contact", "person", "Leni Moser", a.card("Sourdough starter came from her", "old-phone"),
          a.mail("leni-starter", "the starter is called Gundula"), accept=["Leni"])
    a.ask("kofi-birthday", "When is Kofi's birthday?", "contact", "text", "28 July", a.card("Kofi Mensah"), accept=["July 28", "28.07.", "1979-07-28"], derived=True)
    a.ask("mum-phone", "What's Mum's phone number?", "contact", "text", "+44 117 496 0142", a.card("+44-117-496-0142"),
          accept=["+44-117-496-0142", "+44 7700 900142", "+44-7700-900142"], notes="home or mobile")
    a.ask("dad-mobile", "What's Dad's mobile?", "contact", "text", "+44 7700 900143", a.card("+44-7700-900143"), accept=["+44-7700-900143"])
    a.ask("babysitter-number", "What's Nele's number?", "contact", "text", "+49 171 3920063", a.card("+49-171-3920063"), accept=["+49-171-3920063"])
    a.ask("dentist-number", "What's the phone number of my dentist?", "contact", "text", "+49 30 23125 612", a.card("+49 30 23125 612", "old-phone"))
    a.ask("grace-birthday", "When's Grace's birthday?", "contact", "text", "18 April", a.card("Grace Whitfield"), a.note("people/grace.md", "Birthday 18 April"),
          accept=["April 18", "18.04."], derived=True)
    a.ask("treasurer-who", "Who is the treasurer of the rowing club?", "contact", "person", "Sigrid Paulsen", a.card("Treasurer", "old-phone"), accept=["Sigrid"])
    a.ask("vogt-street-de", "In welcher Straße ist die Praxis von Dr. Vogt?", "contact", "text", "Brunnenhof 2", a.card("Brunnenhof 2"),
          a.document("laborbefund-2026-02.pdf", "Brunnenhof 2"), accept=["Brunnenhof"], language="de")
    a.ask("haruka-kanji", "How is Haruka's name written in Japanese?", "contact", "text", "伊藤 遥", a.card("Name in Japanese: 伊藤 遥"))
    a.ask("zoe-street", "What's Zoe's address in London?", "contact", "text", "Flat 2, 19 Saffron Row", a.card("Flat 2, 19 Saffron Row"), accept=["19 Saffron Row"])
    a.ask("felix-mobile", "What's Felix's number?", "contact", "text", "+49 171 3920002", a.card("+49-171-3920002"), accept=["+49-171-3920002"])
