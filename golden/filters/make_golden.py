"""Decisions, words and sketches of datatrove on a small sample, for crates/corpus/src/quality/golden.rs.

usage, from the repository root: make_golden.py > golden/filters/datatrove.json
needs: pip install 'datatrove[processing,io]==0.10.1' spacy==3.8.18

The sample is this repository's own text (documentation, the sample life, source) and lines written to be hard to cut
into words. Each document is judged by every filter by itself and by all in a row.
"""
import glob, json, random, re, sys
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import split_into_sentences, split_into_words

TRICKY = [
    "I'm sure they'd've said it couldn't, wouldn't, can't've happened; let's go, y'all! It's Bob's, isn't it?",
    "im ill, its hell: we'll, were, were'nt; cannot gonna gotta dont doesnt y'all'd've o'clock ma'am 'cause 'tis",
    "Mr. Smith, Ph.D., of the U.S.A. (Inc.) e.g. i.e. vs. a.m. 10a.m. 5pm 12:30p.m. No. 5. St. Louis, Mo. Jan. 3rd.",
    "See http://example.com/a?b=c#d, https://sub.example.co.uk:8080/x/y.html; mail jane.doe@example.org or ftp://u:p@h.example",
    "10.0.0.1 192.168.1.1:80/x 8.8.8.8 1.2.3 v1.2.3-rc.4 foo.Bar foo.bar Foo.Bar lower.Upper a.b c.D U.S. e.V",
    ":) :-) ;-) :( :P xD <3 </3 ^_^ o.O (: hello:) (smile :-) ) :-/ (*_*) foo:( ...:) ''quoted'' ``tex'' \"q\" 'single'",
    "$5 US$10 C$3 €20 30€ 5km 10kg. 3m/s 20% 5° 30°C. 12°F 100+ +5 C++ C# a+b 1+2 3-4 5*6 7^8 1,000,000.50 3.14. x=y",
    "well-known state-of-the-art pre-1900 1990-1995 a--b a---b x—y x – y mid–2000s re-do- -start end- --flag -v --opt=val",
    "wait... what?! really?!? no.. yes…… (parens) [brackets] {braces} <tags> </tag> a/b and/or w/o him/her 1/2 key:value a=b a<b",
    "naïve café Müller's Straße.Über ¿qué? ¡hola! «guillemets» „Zitat“ 漢字かな交じり文。日本語、テスト！ Привет, мир. кг 5кг",
    "emoji 😀text 👍🏽 ©2020 ® ™ ° ½ • bullet · dot §5 ¶ → arrow ✓ done ☃snow 5★ ♥",
    "#hashtag @mention *bold* **strong** _under_ __dunder__ `code` ~tilde~ ^caret^ |pipe| \\n \\t C:\\path /usr/bin ../x ./y",
    "One.Two three.Four five.six Seven.eight 9.Ten eleven.12 (a.b) \"c.D\" x.'Y z.\"W end.' end.\" end.) end.] 'e.g.' (i.e.,",
    "\tTabs\there\u00a0nbsp\u2003em\u200bzero\u3000wide\x0bvt\x0cff\x1cfs end\u0085nel\u2028ls",
    "A.B.C. D.C. N.Y. p.m. ab. Ab. AB. aB. 5. b5. 5b. %. -. +. (. ). \". '. ’. Ü. ü. ß.",
    "doin' goin nothin' ol' lovin' 'em 'bout 'nuff 'Twas '90s 1990's dogs' James' it's' 's 'S ’s he’s don’t I’m",
]


def story(rng, n):
    """Plain prose, more or less repetitive, in longer or shorter lines."""
    who = ["the gardener", "a young sailor", "my neighbour", "the baker's daughter", "an old friend", "nobody"]
    did = ["walked to", "remembered", "painted", "wrote about", "was looking for", "would have sold"]
    what = ["the harbour", "a letter of his father", "the garden and its trees", "that long winter", "a very small boat"]
    when = ["with great care", "and did not speak", "before the rain came", "to be alone", "of all places", "that day"]
    said = lambda: " ".join(rng.choice(x) for x in (who, did, what, when)) + f" {rng.choice(['again', 'at ' + str(rng.randint(1, 99))])}"
    sentences = [said().capitalize() + rng.choice([".", ".", "!", "?", "...", ""]) for _ in range(rng.randint(4, 30))]
    if n % 4 == 1:
        sentences += sentences[: len(sentences) // rng.randint(2, 5)]
    return rng.choice([" ", "\n", "\n\n", "  "]).join(sentences)


def pieces():
    out = list(TRICKY) + ["\n".join(TRICKY), "", " \n ", "word", "The end. " * 30, "the same line\n" * 40]
    random.seed(1)
    files = sorted(glob.glob("docs/*.md") + glob.glob("*.md") + glob.glob("examples/life/**/*.md", recursive=True)
                   + glob.glob("examples/life/**/*.eml", recursive=True) + glob.glob("examples/life/**/*.txt", recursive=True)
                   + glob.glob("crates/vault/src/**/*.rs", recursive=True) + glob.glob("crates/vault/src/**/*.txt", recursive=True))
    files = [f for f in files if "CHANGELOG" not in f and "/target/" not in f]
    random.shuffle(files)
    for n in range(24):
        out.append(story(random.Random(n), n))
    for name in files[:45] + ["LICENSE-APACHE"]:
        text = open(name, encoding="utf8", errors="replace").read()[:1800]
        out.append(text)
        prose = [p for p in re.split(r"\n\s*\n", text) if len(p) > 100 and not p.startswith(("#", "|", "`", "use "))]
        # Prose as web pages have it: each paragraph on one line.
        if len(prose) > 3:
            out.append("\n\n".join(re.sub(r"\s+", " ", p) for p in prose))
            out.append("\n".join(re.sub(r"\s+", " ", p) for p in prose[:2] * 3 + prose[2:]))
    return out


def verdict(f, text):
    document = Document(text=text, id="")
    try:
        result = f.filter(document)
    except ZeroDivisionError:
        return "undefined", text
    kept, why = result if isinstance(result, tuple) else (result, None)
    return (None if kept else why), document.text


filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()]
signature = MinhashDedupSignature("/tmp", MinhashConfig(num_buckets=14, hashes_per_bucket=8))
documents = []
for text in pieces():
    chain, current = None, text
    for f in filters:
        chain, current = verdict(f, current)
        if chain:
            break
    shingles = signature.get_shingles(text)
    documents.append({
        "text": text,
        "words": split_into_words(text) if len(text) < 1500 else None,
        "n_words": len(split_into_words(text)),
        "sentences": [len(split_into_sentences(line)) for line in text.split("\n")[:40]],
        "alone": [verdict(f, text)[0] for f in filters],
        "all": chain,
        "minima": [b[0] for b in signature.get_signature(shingles)][:4] if shingles.size else None,
    })
json.dump(documents, sys.stdout, ensure_ascii=False, indent=0)
