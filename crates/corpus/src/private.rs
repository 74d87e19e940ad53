//! Masking of personal data: mail addresses, phone numbers, IP addresses, keys and tokens.
//!
//! What is found is replaced by a word that says what stood there, so that a sentence stays a sentence. Patterns are
//! strict: a version number must not pass for a phone number. They find what is written in the usual ways, not
//! everything; the counts in the report say how much.

use crate::config;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// How much was masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// Mail addresses.
    pub mail: u64,
    /// Phone numbers.
    pub phone: u64,
    /// IP addresses.
    pub ip: u64,
    /// Keys, tokens, private key blocks.
    pub keys: u64,
}

impl std::ops::AddAssign for Masked {
    fn add_assign(&mut self, other: Self) {
        self.mail += other.mail;
        self.phone += other.phone;
        self.ip += other.ip;
        self.keys += other.keys;
    }
}

const MAIL: &str = r"\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b";
/// International numbers with a plus sign, and the North American form.
const PHONE: &str =
    r"\+[1-9]\d{0,2}(?:[ .\-/]?\(?\d{1,5}\)?){2,6}|(?:\(\d{3}\) ?|\b\d{3}[.\-])\d{3}[.\-]\d{4}\b";
const IP: &str = r"\b(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\b|\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b";
/// By the beginnings that issuers give them: Amazon, GitHub, GitLab, Slack, Google, Stripe, OpenAI, npm, JSON web
/// tokens; and private keys in PEM.
const KEYS: &str = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{50,}|\bglpat-[A-Za-z0-9_\-]{20,}|\bxox[abprs]-[A-Za-z0-9\-]{10,}|\bAIza[0-9A-Za-z_\-]{35}|\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}|\bsk-[A-Za-z0-9_\-]{32,}|\bnpm_[A-Za-z0-9]{36}\b|\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{16,}";

/// The patterns, compiled.
#[derive(Debug)]
pub struct Masker {
    mail: Option<Regex>,
    phone: Option<Regex>,
    ip: Option<Regex>,
    keys: Option<Regex>,
}

impl Masker {
    /// The patterns that are switched on.
    pub fn new(settings: &config::Private) -> Self {
        let pattern = |on: bool, source: &str| on.then(|| Regex::new(source).ok()).flatten();
        Self {
            mail: pattern(settings.mail, MAIL),
            phone: pattern(settings.phone, PHONE),
            ip: pattern(settings.ip, IP),
            keys: pattern(settings.keys, KEYS),
        }
    }

    /// The masked text, if anything was masked, and how much.
    pub fn mask(&self, text: &str) -> (Option<String>, Masked) {
        let mut masked = Masked::default();
        let mut new: Option<String> = None;
        // Cheap signs say whether a pattern is worth a try.
        let at = text.contains('@');
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        let steps = [
            (&self.keys, true, "[key]", &mut masked.keys),
            (&self.mail, at, "[mail address]", &mut masked.mail),
            (&self.ip, digits, "[ip address]", &mut masked.ip),
            (&self.phone, digits, "[phone number]", &mut masked.phone),
        ];
        for (pattern, worth_it, word, count) in steps {
            let Some(pattern) = pattern.as_ref().filter(|_| worth_it) else { continue };
            let before = new.as_deref().unwrap_or(text);
            let replaced =
                pattern.replace_all(before, |found: &regex::Captures<'_>| {
                    match is_meant(&found[0], word) {
                        true => {
                            *count += 1;
                            word.to_string()
                        }
                        false => found[0].to_string(),
                    }
                });
            if *count > 0 {
                new = Some(replaced.into_owned());
            }
        }
        (new, masked)
    }
}

/// What no pattern says: a phone number has 8 to 15 digits; addresses of no host in particular name nobody.
fn is_meant(found: &str, word: &str) -> bool {
    match word {
        "[phone number]" => {
            (8..=15).contains(&found.bytes().filter(|byte| byte.is_ascii_digit()).count())
        }
        "[ip address]" => {
            !matches!(found, "127.0.0.1" | "0.0.0.0" | "255.255.255.255" | "255.255.255.0")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(text: &str) -> (String, Masked) {
        let (new, masked) = Masker::new(&config::Private::default()).mask(text);
        (new.unwrap_or_else(|| text.to_string()), masked)
    }

    #[test]
    fn addresses_numbers_and_keys_become_words() {
        // The key is the one in Amazon's own documentation.
        let text = "Write to jo.doe+x@example.co.uk or call +44 20 7946 0958, (555) 123-4567. \
            Host 192.0.2.17 uses AKIAIOSFODNN7EXAMPLE.";
        let (masked, counts) = mask(text);
        assert_eq!(
            masked,
            "Write to [mail address] or call [phone number], [phone number]. \
             Host [ip address] uses [key]."
        );
        assert_eq!(counts, Masked { mail: 1, phone: 2, ip: 1, keys: 1 });
    }

    #[test]
    fn a_private_key_block_goes_whole_even_when_it_is_torn() {
        let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(mask(text).0, "a\n[key]\nb");
        assert_eq!(mask("a\n-----BEGIN PRIVATE KEY-----\nMIIE").0, "a\n[key]");
        let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
        assert_eq!(mask(public).0, public);
    }

    #[test]
    fn versions_dates_and_plain_numbers_stay() {
        for text in [
            "version 1.2.3, 2026-11-24, 3.14159, 10,000,000",
            "ISBN 978-0-306-40615-7 and @mention",
            "1 + 1234567 apples at 127.0.0.1",
        ] {
            assert_eq!(mask(text).0, text);
        }
    }
}
