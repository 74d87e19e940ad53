//! Training against Hugging Face's trainer, and the exported files against the library that reads them.

use corpus::bpe::{self, CHAT_TEMPLATE, END_OF_TEXT, SPECIAL_TOKENS, WordCounts};
use corpus::chat::{ChatTemplate, Content, Message, RenderOptions};
use corpus::tokenizer::{Special, Tokenizer};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, TokenizerBuilder};

/// Prose, code, numbers, other scripts, decomposed accents and odd white space.
fn text() -> String {
    let mut text = include_str!("../../../../ARCHITECTURE.md").to_string();
    text.push_str(include_str!("../../src/bpe/train.rs"));
    text.push_str(
        "Über naïve cafe\u{301}s, 漢字かな, 12,345.67 — «don't» I'LL\r\n\t  x\u{a0}y\n\n\n",
    );
    text
}

fn trained(n_pieces: usize) -> bpe::Trained {
    let mut words = WordCounts::default();
    text().split_inclusive('\n').for_each(|line| words.add(line));
    bpe::train(words, n_pieces, 0)
}

#[test]
fn the_learnt_vocabulary_is_that_of_the_reference_trainer() {
    let ours = trained(1200);
    let rule = ours.tokenizer_json()["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        .as_str()
        .unwrap()
        .to_string();
    let split =
        Split::new(SplitPattern::Regex(rule), SplitDelimiterBehavior::Isolated, false).unwrap();
    let pre: Vec<PreTokenizerWrapper> =
        vec![split.into(), ByteLevel::new(false, false, false).into()];
    let mut reference = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(NFC))
        .with_pre_tokenizer(Some(Sequence::new(pre)))
        .with_post_processor(Some(ByteLevel::default()))
        .with_decoder(Some(ByteLevel::default()))
        .build()
        .unwrap();
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(1200)
        .min_frequency(0)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let text = text();
    reference.train(&mut trainer, text.split_inclusive('\n').map(str::to_string)).unwrap();
    let vocabulary = reference.get_vocab(false);
    assert_eq!(vocabulary.len(), ours.pieces.len());
    for (id, piece) in ours.pieces.iter().enumerate() {
        assert_eq!(vocabulary.get(piece), Some(&(id as u32)), "{piece}");
    }
}

#[test]
fn the_exported_file_encodes_as_the_trained_tokenizer_does_and_every_text_comes_back() {
    let trained = trained(700);
    let ours = trained.tokenizer().unwrap();
    let json = serde_json::to_vec(&trained.tokenizer_json()).unwrap();
    let read = Tokenizer::from_json(&json).unwrap();
    assert_eq!(read.vocab_size(), trained.vocab_size());
    let text = text() + "<|im_start|>user\n<tool_call>{}</tool_call><think><|im_end|>";
    for special in [Special::Parse, Special::Text] {
        assert_eq!(ours.encode(&text, special, true), read.encode(&text, special, true));
    }
    let nfc: String = unicode_normalization::UnicodeNormalization::nfc(text.as_str()).collect();
    assert_eq!(ours.decode(&ours.encode(&text, Special::Text, false)), nfc);
}

#[test]
fn special_tokens_take_the_last_ids_and_have_roles() {
    let trained = trained(300);
    let tokenizer = trained.tokenizer().unwrap();
    for (place, token) in SPECIAL_TOKENS.iter().enumerate() {
        assert_eq!(tokenizer.token_id(token.text), Some(300 + place as u32));
        assert_eq!(tokenizer.encode(token.text, Special::Parse, false), [300 + place as u32]);
    }
    assert_eq!(tokenizer.pad(), tokenizer.token_id(END_OF_TEXT));
    assert_eq!(tokenizer.eos(), tokenizer.token_id("<|im_end|>"));
}

#[test]
fn the_chat_template_writes_chatml_with_tools() {
    let template = ChatTemplate::new(CHAT_TEMPLATE, "", "<|im_end|>").unwrap();
    let message = |role: &str, text: &str| Message {
        role: role.to_string(),
        content: Content::Text(text.to_string()),
        ..Message::default()
    };
    let messages = [message("system", "Be kind."), message("user", "Hi"), message("tool", "7")];
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    assert_eq!(
        template.render(&messages, &options).unwrap(),
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
         <|im_start|>user\n<tool_response>\n7\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    );
    let tools = [serde_json::json!({"name": "add"})];
    let options = RenderOptions { tools: &tools, ..RenderOptions::default() };
    let text = template.render(&messages[..2], &options).unwrap();
    assert!(text.starts_with("<|im_start|>system\nBe kind.\n\nYou can call"), "{text}");
    assert!(text.contains("\n{\"name\": \"add\"}\n"), "{text}");
}
