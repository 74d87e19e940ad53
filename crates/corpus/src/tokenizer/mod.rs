//! Text to token ids and back, as the model's own file defines it.
//!
//! Encoding goes in three steps, the same for every family:
//!
//! ```text
//! text ──special──▶ stretches ──words/normalize──▶ units ──merge / most probable / longest──▶ ids
//! ```
//!
//! First the tokens that are taken whole are cut out ([`Special`] says which), then the family's algorithm
//! runs on the stretches between. Byte-level BPE ([`byte_bpe`]) and SentencePiece BPE ([`sentencepiece`]) are
//! written here and share one merge loop ([`merge`]); Unigram, WordPiece and the pipelines of `tokenizer.json`
//! run in Hugging Face's library ([`library`]).
//!
//! Decoding is the same for all: each piece stands for some bytes ([`Tokenizer::piece_bytes`]), and the bytes
//! joined are the text. Byte-level BPE gives every text back exactly. SentencePiece BPE with byte tokens does
//! too, except that a literal `▁` (U+2581) comes back as a space. Unigram and WordPiece normalise, which loses
//! letter case, accents or kinds of white space.

mod byte_bpe;
mod library;
mod merge;
mod normalize;
mod pieces;
mod sentencepiece;
mod special;
mod stream;
mod vocabulary;
mod words;

pub(crate) use byte_bpe::{LETTER_OF_BYTE, WordMemory};
pub use stream::DecodeStream;
pub use vocabulary::{Roles, TokenType, Vocabulary, VocabularyKind};
pub(crate) use words::split_words;

use crate::Error;
use byte_bpe::ByteBpe;
use library::{Described, Library};
use pieces::Pieces;
use sentencepiece::{SPACE, SentencePiece};
use special::{Stretch, Whole, Wholes};
use std::borrow::Cow;
use std::ops::Range;

/// Whether the name of a control token in a text is that token, or the letters it is written with.
///
/// Text that people wrote is [`Special::Text`]: a mail that contains `<|im_end|>` must not end the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// Control tokens mean themselves.
    Parse,
    /// Control tokens are ordinary text.
    Text,
}

/// A tokenizer ready for use: immutable, `Send + Sync`; share it by `Arc`.
#[derive(Debug)]
pub struct Tokenizer {
    pieces: Pieces,
    types: Vec<TokenType>,
    algorithm: Algorithm,
    wholes: Wholes,
    style: PieceStyle,
    roles: Roles,
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    /// SentencePiece: a stretch of text is encoded as if a space stood before it.
    space_prefix: bool,
    drops_first_space: bool,
}

#[derive(Debug)]
enum Algorithm {
    ByteBpe(Box<ByteBpe>),
    SentencePiece(SentencePiece),
    Library(Box<Library>),
}

/// How a piece stands for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceStyle {
    /// GPT-2's 256 letters.
    Letters,
    /// `▁` is a space, `<0x0A>` is a byte.
    Spaces,
    /// `##ing` continues a word, anything else begins one after a space.
    Words,
    /// The piece is the text.
    Plain,
}

impl Tokenizer {
    /// Builds a tokenizer from a vocabulary, checking it first.
    pub fn from_vocabulary(mut v: Vocabulary) -> Result<Self, Error> {
        if !v.types.is_empty() && v.types.len() != v.tokens.len() {
            let (n, m) = (v.types.len(), v.tokens.len());
            return Err(Error::Vocabulary(format!("{n} types for {m} tokens")));
        }
        let r = &v.roles;
        for role in [r.bos, r.eos, r.unk, r.sep, r.pad, r.cls, r.mask].into_iter().flatten() {
            if role as usize >= v.tokens.len() {
                let n = v.tokens.len();
                return Err(Error::Vocabulary(format!(
                    "a special token has id {role}, of {n} tokens"
                )));
            }
        }
        if v.kind == VocabularyKind::WordPiece {
            word_piece_spelling(&mut v.tokens);
            let [unk, cls, sep] =
                ["[UNK]", "[CLS]", "[SEP]"].map(|name| v.tokens.iter().position(|t| t == name));
            v.roles.unk = v.roles.unk.or(unk.map(|id| id as u32));
            v.roles.cls = v.roles.cls.or(cls.map(|id| id as u32));
            v.roles.sep = v.roles.sep.or(sep.map(|id| id as u32));
        }
        let pieces = Pieces::new(&v.tokens)
            .ok_or_else(|| Error::Vocabulary("the pieces exceed 4 GiB".to_string()))?;
        let (algorithm, style) = match &v.kind {
            VocabularyKind::ByteBpe { pre } => (
                Algorithm::ByteBpe(Box::new(ByteBpe::new(&pieces, &v.merges, pre)?)),
                PieceStyle::Letters,
            ),
            VocabularyKind::SentencePieceBpe => {
                let model = SentencePiece::new(&pieces, &v.scores, &v.types, v.roles.unk)?;
                (Algorithm::SentencePiece(model), PieceStyle::Spaces)
            }
            VocabularyKind::Unigram => {
                (Algorithm::Library(Box::new(Library::unigram(&v)?)), PieceStyle::Spaces)
            }
            VocabularyKind::WordPiece => {
                (Algorithm::Library(Box::new(Library::word_piece(&v)?)), PieceStyle::Words)
            }
        };
        let word_piece = v.kind == VocabularyKind::WordPiece;
        let begin = if word_piece { v.roles.cls.or(v.roles.bos) } else { v.roles.bos };
        let end = if word_piece { v.roles.sep.or(v.roles.eos) } else { v.roles.eos };
        let sentence_bpe = v.kind == VocabularyKind::SentencePieceBpe;
        Ok(Self {
            wholes: Wholes::new(wholes(&v, style))?,
            pieces,
            types: v.types,
            algorithm,
            style,
            roles: v.roles,
            prefix: begin.filter(|_| v.add_bos).into_iter().collect(),
            suffix: end.filter(|_| v.add_eos).into_iter().collect(),
            space_prefix: sentence_bpe && v.add_space_prefix,
            drops_first_space: style == PieceStyle::Words || v.add_space_prefix,
        })
    }

    /// Builds a tokenizer from the bytes of a `tokenizer.json`. Roles are guessed from the well-known names;
    /// [`Tokenizer::with_roles`] corrects them.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let described = Described::new(bytes)?;
        let pieces = Pieces::new(&described.tokens);
        Ok(Self {
            pieces: pieces.ok_or_else(|| Error::Json("the pieces exceed 4 GiB".to_string()))?,
            types: described.types,
            algorithm: Algorithm::Library(Box::new(described.library)),
            wholes: Wholes::new(described.wholes)?,
            style: described.style,
            roles: described.roles,
            prefix: described.prefix,
            suffix: described.suffix,
            space_prefix: false,
            drops_first_space: described.drops_first_space,
        })
    }

    /// The same tokenizer with the roles that are given here; those that are `None` stay as they were.
    pub fn with_roles(mut self, roles: Roles) -> Self {
        let known = |id: Option<u32>| id.filter(|&id| (id as usize) < self.pieces.len());
        self.roles = Roles {
            bos: known(roles.bos).or(self.roles.bos),
            eos: known(roles.eos).or(self.roles.eos),
            unk: known(roles.unk).or(self.roles.unk),
            sep: known(roles.sep).or(self.roles.sep),
            pad: known(roles.pad).or(self.roles.pad),
            cls: known(roles.cls).or(self.roles.cls),
            mask: known(roles.mask).or(self.roles.mask),
        };
        self
    }

    /// The token ids of `text`. With `add_bos_eos`, the tokens that the file wants around every text are
    /// added; a file may want none.
    pub fn encode(&self, text: &str, special: Special, add_bos_eos: bool) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        if add_bos_eos {
            ids.extend_from_slice(&self.prefix);
        }
        self.encode_stretches(&mut ids, text, special, &|stretch| Cow::Borrowed(stretch));
        if add_bos_eos {
            ids.extend_from_slice(&self.suffix);
        }
        ids
    }

    /// As [`Tokenizer::encode`] of a text that people wrote; `memory` makes the second of equal words cheap.
    pub(crate) fn encode_remembering(&self, text: &str, memory: &mut WordMemory) -> Vec<u32> {
        let Algorithm::ByteBpe(model) = &self.algorithm else {
            return self.encode(text, Special::Text, true);
        };
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        ids.extend_from_slice(&self.prefix);
        for stretch in self.wholes.cut(text, Special::Text) {
            match stretch {
                Stretch::Token(id) => ids.push(id),
                Stretch::Text(range) => {
                    model.encode_remembering(&mut ids, &self.pieces, &text[range], memory);
                }
            }
        }
        ids.extend_from_slice(&self.suffix);
        ids
    }

    /// Encodes `text`; each stretch between whole tokens goes through `restore` first, and control tokens
    /// that appear only then are ordinary text.
    pub(crate) fn encode_stretches(
        &self,
        ids: &mut Vec<u32>,
        text: &str,
        special: Special,
        restore: &dyn for<'s> Fn(&'s str) -> Cow<'s, str>,
    ) {
        let mut first = true;
        for stretch in self.wholes.cut(text, special) {
            match stretch {
                Stretch::Token(id) => ids.push(id),
                Stretch::Text(range) => match restore(&text[range]) {
                    Cow::Borrowed(text) => self.encode_text(ids, text, first),
                    Cow::Owned(text) => {
                        for stretch in self.wholes.cut(&text, Special::Text) {
                            match stretch {
                                Stretch::Token(id) => ids.push(id),
                                Stretch::Text(range) => self.encode_text(ids, &text[range], first),
                            }
                        }
                    }
                },
            }
            first = false;
        }
    }

    /// One stretch of ordinary text; `first` if nothing stands before it.
    fn encode_text(&self, ids: &mut Vec<u32>, text: &str, first: bool) {
        match &self.algorithm {
            Algorithm::ByteBpe(model) => model.encode(ids, &self.pieces, text),
            Algorithm::SentencePiece(model) => {
                let mut spaced = String::with_capacity(text.len() + text.len() / 4 + 4);
                if self.space_prefix {
                    spaced.push(SPACE);
                }
                spaced.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
                model.encode(ids, &self.pieces, &spaced);
            }
            Algorithm::Library(library) => library.encode(ids, text, first),
        }
    }

    /// Where control tokens stand in a text, and which.
    pub(crate) fn control_tokens(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.wholes.find(text, Special::Parse);
        found.filter(|(_, token)| token.control).map(|(place, _)| place).collect()
    }

    /// The text of some tokens. Control tokens have no text; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids.iter().filter(|&&id| !self.is_special(id)) {
            self.append_bytes(&mut bytes, id);
        }
        let from = usize::from(self.drops_first_space && bytes.first() == Some(&b' '));
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    /// Starts decoding tokens one at a time.
    pub fn stream(&self) -> DecodeStream<'_> {
        DecodeStream::new(self)
    }

    /// The piece as the file writes it: `Ġthe`, `▁the`, `<|im_end|>`.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.pieces.get(id).map(str::to_string)
    }

    /// The bytes that a token adds to a text; its name for a control token; nothing for an unknown id.
    pub fn piece_bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_bytes(&mut bytes, id);
        bytes
    }

    fn append_bytes(&self, bytes: &mut Vec<u8>, id: u32) {
        let Some(piece) = self.pieces.get(id) else { return };
        let plain = matches!(self.token_type(id), TokenType::Control | TokenType::UserDefined);
        match self.style {
            PieceStyle::Letters if !plain => match byte_bpe::from_letters(piece) {
                Some(decoded) => bytes.extend(decoded),
                None => bytes.extend(piece.as_bytes()),
            },
            PieceStyle::Spaces if self.token_type(id) != TokenType::Control => {
                match byte_token(piece) {
                    Some(byte) => bytes.push(byte),
                    None => bytes.extend(piece.replace(SPACE, " ").as_bytes()),
                }
            }
            PieceStyle::Words if !plain => match piece.strip_prefix("##") {
                Some(rest) => bytes.extend(rest.as_bytes()),
                None => {
                    bytes.push(b' ');
                    bytes.extend(piece.as_bytes());
                }
            },
            _ => bytes.extend(piece.as_bytes()),
        }
    }

    /// Number of ids: one more than the largest.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The id of a piece, written as in the file.
    pub fn token_id(&self, piece: &str) -> Option<u32> {
        self.pieces.id(piece)
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.roles.bos
    }

    /// The token that ends a text or a turn.
    pub fn eos(&self) -> Option<u32> {
        self.roles.eos
    }

    /// The token that fills a batch up.
    pub fn pad(&self) -> Option<u32> {
        self.roles.pad
    }

    /// The token for what no piece covers.
    pub fn unk(&self) -> Option<u32> {
        self.roles.unk
    }

    /// All ids with a role.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// Whether every text starts with the begin token when encoded as the file wants it.
    pub fn adds_bos(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// How many tokens `encode` adds around a text when asked to.
    pub fn n_added(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Whether the token steers the model or stands for the unknown: it has no text.
    pub fn is_special(&self, id: u32) -> bool {
        matches!(self.token_type(id), TokenType::Control | TokenType::Unknown)
    }

    /// The algorithm in words, for people: `byte-level BPE`.
    pub fn kind(&self) -> &'static str {
        match (&self.algorithm, self.style) {
            (Algorithm::ByteBpe(_), _) | (Algorithm::Library(_), PieceStyle::Letters) => {
                "byte-level BPE"
            }
            (Algorithm::SentencePiece(_), _) => "SentencePiece BPE",
            (Algorithm::Library(_), PieceStyle::Spaces) => "SentencePiece",
            (Algorithm::Library(_), PieceStyle::Words) => "WordPiece",
            (Algorithm::Library(_), PieceStyle::Plain) => "tokenizer.json",
        }
    }

    fn token_type(&self, id: u32) -> TokenType {
        self.types.get(id as usize).copied().unwrap_or_default()
    }

    fn drops_first_space(&self) -> bool {
        self.drops_first_space
    }
}

/// The tokens of a vocabulary that are taken whole.
fn wholes(v: &Vocabulary, style: PieceStyle) -> Vec<Whole> {
    let whole = |(id, kind): (usize, &TokenType)| {
        let control = match kind {
            TokenType::Control | TokenType::Unknown => true,
            TokenType::UserDefined => false,
            _ => return None,
        };
        // In text, a user-defined run of spaces is written with spaces.
        let text = &v.tokens[id];
        let text =
            if style == PieceStyle::Spaces { text.replace(SPACE, " ") } else { text.clone() };
        Some(Whole { text, id: id as u32, control, ..Whole::default() })
    };
    v.types.iter().enumerate().filter_map(whole).collect()
}

/// GGUF files write WordPiece the other way round: `▁word` begins a word and `ing` continues one. Brings
/// such a list to the usual spelling; bracketed specials are left as they are.
fn word_piece_spelling(tokens: &mut [String]) {
    if tokens.iter().any(|token| token.starts_with("##")) {
        return;
    }
    for token in tokens {
        if let Some(word) = token.strip_prefix(SPACE) {
            *token = word.to_string();
        } else if !(token.starts_with('[') && token.ends_with(']') && token.len() > 2) {
            *token = format!("##{token}");
        }
    }
}

/// `<0x0A>` → 10.
fn byte_token(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}
