"""Questions to be refused: a wrong person or a wrong fact in the premise, and what no file says.

The evidence of a wrong premise is the passage that contradicts it.
"""


def ask(a):
    swapped_persons(a)
    wrong_facts(a)
    lures(a)
    unsaid(a)


def swapped_persons(a):
    def swapped(id, question, proof, truth, **more):
        a.ask(id, question, "false-premise", "none", "", proof, notes=truth, **more)

    swapped("fp-crack-kofi", "Where was Kofi when he discovered the crack in Gisela?", a.mail("gisela", "I found it yesterday when I washed her"), "Marek found it; Kofi caused it")
    swapped("fp-felix-hip", "On what date was Felix's hip operation?", a.mail("helen-hip", "Dad's operation is put off"), "it was Roy's")
    swapped("fp-photo-sommer", "When did Anna Sommer say she'd bring the class photo list?", a.mail("annak-elternabend", "I'll bring the list for the class photos"), "Anna Kowalska did")
    swapped("fp-ergo-becker", "At what time does Tom Becker want to do ergometer training?", a.mail("winter-times-2", "Tuesdays 19:00"), "Tom Ashworth's training")
    swapped("fp-helen-dog", "What breed is the dog my mother got in June?", a.mail("ingrid-hund", "ich habe einen Hund"), "Ingrid got the dog; no breed is named")
    swapped("fp-zoe-baby", "When is Zoe's baby due?", a.mail("elise-news", "End of March, all well"), "Elise is expecting")
    swapped("fp-emil-piano", "When is Emil's piano lesson?", a.mail("aurel-move", "Lotte should please practise the left hand alone"), "Lotte has piano")
    swapped("fp-lucas-left", "When did Lucas leave Studio Fennel?", a.mail("jonas-leaving", "I'm leaving at the end of June"), "Jonas left; Lucas never worked there")
    swapped("fp-book-sigrid", "Which book did Sigrid lend me in November?", a.mail("bea-book", "I'll lend you mine on Wednesday"), "Bea lends it")
    swapped("fp-osei-iron", "What did Dr. Osei prescribe for my iron?", a.mail("vogt-lab", "Bitte nehmen Sie das Eisenpräparat"), "Dr. Vogt; Osei is the dentist")
    swapped("fp-ravi-reading", "What did Ravi read out at the wedding?", a.mail("zoe-wedding", "You are doing a reading"), "Ines did the reading")
    swapped("fp-emil-ruegen", "How much was Emil's class trip to Rügen?", a.mail("klassenfahrt", "Liebe Eltern der 4b"), "Lotte's class went")
    swapped("fp-priya-tracking", "What headline tracking did Priya hand over in June?", a.note("meetings/2026-06-30-jonas-handover.md", "Headline tracking: +12"), "Jonas handed over")
    swapped("fp-wendt-mail", "What did Frau Wendt write in her e-mail about the piano?", a.mail("deposit-back", "Grüße von Frau Wendt, sie vermisst das Klavier"), "Herr Krüger passed it on; she has no e-mail")
    swapped("fp-rashid-meteors", "How many meteors did Rashid count from the roof?", a.note("daily/2026-08-12.md", "Lotte 52, Emil 47, Felix claims 60"), "no count of Rashid's")
    swapped("fp-demir-fliese-de", "Wie viel hat Frau Demir für die kaputte Fliese einbehalten?", a.mail("deposit-back", "behalte ich 140,00"), "Herr Krüger, in der alten Wohnung", language="de")
    swapped("fp-elise-telephone-fr", "Dans quelle rivière Elise a-t-elle laissé tomber le téléphone de Yann ?", a.mail("elise-number", "Yann was holding it"), "c'est le téléphone d'Elise, et Yann le tenait", language="fr")


def wrong_facts(a):
    def wrong(id, question, proof, truth, **more):
        a.ask(id, question, "false-premise", "none", "", proof, notes=truth, **more)

    wrong("fp-matthias-leg", "Which leg did Matthias break?", a.mail("ingrid-weihnachten", "den linken Daumen gebrochen"), "it was a thumb")
    wrong("fp-krueger-2027", "By how much did Herr Krüger raise our rent for 2027?", a.mail("rent-2027", "die Vorauszahlung auf die Nebenkosten steigt"), "not he, the new flat's management")
    wrong("fp-standup-29", "At what time is the stand-up on 29 December?", a.event("standup"), "there is none that day")
    wrong("fp-barn-dancing", "What time did the dancing start in Prior's Barn?", a.mail("zoe-venue", "The barn has BATS"), "the wedding was moved to the Old Glasshouse")
    wrong("fp-havelstrom-internet", "From when did Havelstrom put up the price of our internet?", a.mail("kabelino-2", "From October your contract K-55210 costs 42.90"), "Kabelino")
    wrong("fp-pixel-lost", "How much weight has Pixel lost since last year?", a.mail("tierney-diet", "5.8 kg"), "he gained 0.7 kg")
    wrong("fp-fog-doubled", "Why did we double the size of the fog room?", a.mail("ines-cuts", "the fog room shrinks by half"), "it was halved")
    wrong("fp-second-tooth", "Where did we put the second tooth Emil lost?", a.note("daily/2026-11-22.md", "Emil's second tooth is loose"), "it is only loose")
    wrong("fp-book-october-me", "What did I say at October's book circle at Kofi's?", a.event("book-oct"), "she was in New York")


def lures(a):
    def lure(id, question, proof, **more):
        a.ask(id, question, "false-premise", "none", "", proof, notes="only a fraud says so", **more)

    lure("fp-lottery", "How much money did I win in the lottery?", a.mail("spam-01", "World Harmony Lottery"))
    lure("fp-gift-cards", "How many gift cards does my boss need from me?", a.mail("spam-12", "buy five gift cards"))
    lure("fp-gite-annule-fr", "Pourquoi notre réservation à Ty Kerlann a-t-elle été annulée ?", a.mail("spam-13", "est annulée faute de paiement"), language="fr")


def unsaid(a):
    for id, question, language in (
        ("un-sigrid-birthday", "When is Sigrid's birthday?", "en"),
        ("un-wifi-password", "What's our Wi-Fi password?", "en"),
        ("un-salt-fee", "How much would Salzburg pay us for Salt Roads?", "en"),
        ("un-blood-group", "What is my blood type?", "en"),
        ("un-felix-salary", "What does Felix earn at the music school?", "en"),
        ("un-wedding-cost", "What did Zoe's wedding cost?", "en"),
        ("un-grace-home", "What's Grace's home address?", "en"),
        ("un-thesis-subject", "What was Nele's thesis about?", "en"),
        ("un-tuv-result", "Did the car pass its inspection?", "en"),
        ("un-ny-flight", "Which airline did I fly to New York with in May?", "en"),
        ("un-rashid-job", "What does Rashid do for a living?", "en"),
        ("un-demir-beruf-de", "Wo arbeitet Frau Dr. Demir?", "de"),
        ("un-yann-metier-fr", "Quel est le métier de Yann ?", "fr"),
        ("un-piano-fee", "How much does Aurel charge for a lesson?", "en"),
        ("un-museum-director", "What's the name of the director of the Brightwater Museum?", "en"),
        ("un-rashid-sister", "What is Rashid's sister called?", "en"),
        ("un-daniel-age", "How old is Daniel Okoye?", "en"),
        ("un-piano-price", "What did our piano cost when we bought it?", "en"),
        ("un-hip-hospital", "Which hospital was Dad's operation in?", "en"),
        ("un-dishwasher", "What make is our dishwasher?", "en"),
        ("un-card-pin", "What's the PIN of my bank card?", "en"),
        ("un-demir-mann-de", "Wie heißt der Mann von Frau Dr. Demir?", "de"),
        ("un-lehmann-geburtstag-de", "Wann hat Frau Lehmann Geburtstag?", "de"),
        ("un-tanguy-age-fr", "Quel âge a Madame Tanguy ?", "fr"),
        ("un-mei-rent", "How much rent does Mei pay?", "en"),
        ("un-car-year", "What year was our car built?", "en"),
    ):
        a.ask(id, question, "unanswerable", "none", "", language=language, notes="no file says so")
