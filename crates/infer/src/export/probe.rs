//! Whether two tokenizers are the same, as far as a text full of corners can tell.

use corpus::tokenizer::{Special, Tokenizer};

/// Numbers, contractions, runs of white space, line breaks, punctuation, code, several scripts, combined letters,
/// symbols beyond the basic plane.
const TEXT: &str = "Hello world, it's 2026-11-24; she'LL pay $1,234.56 (12345678 in all)!\n\n  Zwei Häuser,\tüber \
    naïve   Straßen…   \n\r\nfn main() { let x_1 = \"a\\n\"; } // don't\n`code` <tag> [1] 100% a+b=c ~^|\n\
    Καλημέρα κόσμε. Привет, мир! 你好，世界。こんにちは 안녕하세요 مرحبا بالعالم שלום नमस्ते e\u{301} \u{1f600}\u{1f468}\u{200d}\u{1f469} \
    CamelCaseWord HTTPServer x²  trailing   ";

/// The first stretch of the text that the two cut differently; `None` where they agree everywhere.
pub(super) fn difference(a: &Tokenizer, b: &Tokenizer) -> Option<String> {
    let same = |text: &str| {
        let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, Special::Text, false);
        ids(a) == ids(b)
    };
    let lines = TEXT.split_inclusive('\n');
    let different = lines.chain([TEXT, " ", "a", " a", "\n"]).find(|text| !same(text));
    different.map(|text| text.chars().take(40).collect())
}
