//! Question words, nouns of kinds and filler words in English, German and French, folded.

use vault::item::Kind;

/// Nouns that name items of one kind and little else: counted and listed as items.
pub const KIND_NOUNS: &[(&str, Kind)] = &[
    ("mail", Kind::Mail),
    ("mails", Kind::Mail),
    ("email", Kind::Mail),
    ("emails", Kind::Mail),
    ("message", Kind::Mail),
    ("messages", Kind::Mail),
    ("letter", Kind::Mail),
    ("letters", Kind::Mail),
    ("nachricht", Kind::Mail),
    ("nachrichten", Kind::Mail),
    ("courriel", Kind::Mail),
    ("courriels", Kind::Mail),
    ("event", Kind::Event),
    ("events", Kind::Event),
    ("appointment", Kind::Event),
    ("appointments", Kind::Event),
    ("meeting", Kind::Event),
    ("meetings", Kind::Event),
    ("termin", Kind::Event),
    ("termine", Kind::Event),
    ("treffen", Kind::Event),
    ("rendez", Kind::Event),
    ("reunion", Kind::Event),
    ("reunions", Kind::Event),
    ("evenement", Kind::Event),
    ("evenements", Kind::Event),
    ("contact", Kind::Contact),
    ("contacts", Kind::Contact),
    ("kontakt", Kind::Contact),
    ("kontakte", Kind::Contact),
    ("note", Kind::Note),
    ("notes", Kind::Note),
    ("notiz", Kind::Note),
    ("notizen", Kind::Note),
    ("document", Kind::Document),
    ("documents", Kind::Document),
    ("pdf", Kind::Document),
    ("pdfs", Kind::Document),
    ("dokument", Kind::Document),
    ("dokumente", Kind::Document),
];

/// Nouns that count occasions: "how many times", "wie oft", "combien de fois".
pub const OCCASIONS: &[&str] = &["times", "often", "oft", "mal", "male", "fois", "sessions", "classes", "lessons"];

pub const PHONE: &[&str] = &[
    "phone", "telephone", "mobile", "cell", "telefon", "telefonnummer", "handynummer", "handy", "rufnummer",
    "portable", "tel",
];

pub const MAIL_ADDRESS: &[&str] = &["email", "mail", "e", "mailadresse", "emailadresse", "courriel"];

pub const ADDRESS: &[&str] = &["address", "adresse", "anschrift"];

pub const BIRTHDAY: &[&str] =
    &["birthday", "birthdays", "born", "geburtstag", "geboren", "anniversaire", "nee", "ne", "birth", "birthdate"];

pub const WEBSITE: &[&str] = &["website", "homepage", "webseite", "site"];

pub const COST: &[&str] = &[
    "cost", "costs", "price", "pay", "paid", "pays", "rent", "fee", "deposit", "salary", "budget", "amount",
    "total", "bill", "charge", "charged", "kostet", "kosten", "kostete", "gekostet", "preis", "miete", "kaution",
    "bezahlt", "zahlen", "betrag", "gebuhr", "coute", "couter", "coutait", "prix", "loyer", "caution", "montant",
    "paye", "payer", "spend", "spent", "worth", "owe", "instalment", "installment", "euros", "money",
];

/// Asked together with an amount: add all of them up.
pub const SUM: &[&str] = &["total", "altogether", "together", "sum", "insgesamt", "zusammen", "gesamt", "tout", "totale"];

/// Verbs of somebody telling something; the person before or after them is the author.
pub const TELLING: &[&str] = &[
    "write", "wrote", "written", "send", "sent", "say", "said", "says", "tell", "told", "ask", "asked", "mention",
    "mentioned", "suggest", "suggested", "promise", "promised", "mailed", "emailed", "reply", "replied", "answer",
    "answered", "propose", "proposed", "recommend", "recommended", "offer", "offered", "report", "reported",
    "warn", "warned", "announce", "announced", "schreibt", "schrieb", "geschrieben", "geschickt", "schickte",
    "sagt", "sagte", "gesagt", "fragt", "gefragt", "empfohlen", "versprochen", "vorgeschlagen", "gemeldet",
    "geantwortet", "ecrit", "envoye", "dit", "demande", "propose", "repondu", "promis", "recommande",
];

/// Words that carry no topic: question words, auxiliaries, pronouns, politeness.
const FILLERS: &[&str] = &[
    "a", "about", "again", "all", "also", "am", "an", "and", "any", "anyone", "anything", "are", "as", "at", "be",
    "been", "before", "being", "but", "by", "can", "could", "currently", "did", "do", "does", "doing", "done",
    "each", "every", "ever", "exactly", "find", "for", "from", "get", "give", "given", "go", "going", "got", "had",
    "happen", "happened", "happens", "has", "have", "having", "he", "her", "hers", "him", "his", "how", "i", "if",
    "in", "into", "is", "it", "its", "just", "kind", "know", "list", "long", "look", "many", "me", "more", "most",
    "much", "my", "name", "need", "no", "not", "now", "of", "off", "often", "on", "one", "or", "our", "out",
    "over", "please", "s", "say", "said", "says", "search", "see", "she", "should", "show", "so", "some",
    "something", "still", "t", "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "thing", "things", "this", "those", "to", "too", "up", "us", "use", "want", "was", "we", "were", "what",
    "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "after",
    "according", "until", "since", "between", "during", "both", "other", "latest", "last", "next", "first", "many",
    "aber", "alle", "alles", "als", "am", "auch", "auf", "aus", "bei", "bin", "bis", "bitte", "da", "das", "dass",
    "dem", "den", "denn", "der", "des", "die", "dies", "diese", "dieser", "dieses", "dir", "doch", "du", "ein",
    "eine", "einem", "einen", "einer", "eines", "er", "es", "etwas", "fur", "gab", "ganz", "gibt", "habe", "haben",
    "hab", "hat", "hatte", "heisst", "ich", "ihm", "ihn", "ihr", "ihre", "im", "ist", "ja", "jetzt", "kann",
    "kannst", "konnte", "man", "mein", "meine", "meinem", "meinen", "meiner", "mich", "mir", "mit", "nach",
    "nicht", "noch", "nun", "nur", "ob", "oder", "schon", "sein", "seine", "seit", "sich", "sie", "sind", "soll",
    "sollte", "uber", "um", "und", "uns", "unser", "unsere", "viel", "viele", "vom", "von", "vor", "wann", "war",
    "waren", "warum", "was", "welche", "welchem", "welchen", "welcher", "welches", "wem", "wen", "wer", "werde",
    "werden", "wessen", "wie", "wieso", "will", "wir", "wird", "wo", "wohin", "worden", "wurde", "wurden", "zeig",
    "zeige", "zu", "zum", "zur", "zwischen", "letzte", "letzten", "nachste", "nachsten", "nachster", "erste",
    "ai", "as", "au", "aux", "avec", "avoir", "ce", "ces", "cet", "cette", "combien", "comment", "d", "dans", "de",
    "depuis", "du", "elle", "elles", "en", "entre", "es", "est", "et", "etait", "ete", "etre", "eu", "fait", "il",
    "ils", "j", "jusqu", "je", "l", "la", "le", "les", "leur", "lui", "m", "ma", "mes", "moi", "mon", "n", "ne",
    "nos", "notre", "nous", "on", "ont", "ou", "par", "pas", "plus", "pour", "pourquoi", "qu", "quand", "que",
    "quel", "quelle", "quelles", "quels", "qui", "quoi", "sa", "sera", "ses", "son", "sont", "suis", "sur", "ta",
    "te", "tes", "ton", "tu", "un", "une", "va", "vos", "votre", "vous", "y", "dernier", "derniere", "prochain",
    "prochaine", "premier", "premiere", "il", "t",
];

pub fn is_filler(term: &str) -> bool {
    FILLERS.contains(&term)
}
