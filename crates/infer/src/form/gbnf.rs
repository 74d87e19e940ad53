//! llama.cpp's grammar notation (GBNF), rewritten as Lark for `llguidance`.
//!
//! ```text
//! root   ::= "answer: " word ("," word)*      start: "answer: " r_word ("," r_word)*
//! word   ::= [a-z]+ | "\"" [^"]* "\""         r_word: /[a-z]/+ | "\"" /[^"]/* "\""
//! ```
//!
//! The notation is described in llama.cpp's `grammars/README.md`. A rule goes on until the next `name ::=`.

use std::collections::BTreeSet;
use std::fmt::Write;

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `::=`
    Defines,
    Text(String),
    /// A regular expression for one character.
    Class(String),
    /// `| ( ) * + ?` and `{m,n}`, the same in both notations.
    Same(String),
}

/// The grammar in Lark, or what is wrong with it and where.
pub(super) fn to_lark(grammar: &str) -> Result<String, String> {
    let tokens = read(grammar)?;
    let mut defined = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut lark = String::new();
    let defines = |i: usize| tokens.get(i).is_some_and(|(_, token)| *token == Token::Defines);
    for (i, (line, token)) in tokens.iter().enumerate() {
        match token {
            Token::Name(name) if defines(i + 1) => {
                if !defined.insert(rule(name)) {
                    return Err(format!("line {line}: the rule {name} is defined twice"));
                }
                let _ = write!(lark, "\n{}:", rule(name));
            }
            _ if defined.is_empty() => {
                return Err(format!("line {line}: a grammar begins with `root ::= …`"));
            }
            Token::Defines if !matches!(tokens[i - 1].1, Token::Name(_)) => {
                return Err(format!("line {line}: a rule's name has to stand before ::="));
            }
            Token::Defines => {}
            Token::Name(name) => {
                used.insert((rule(name), *line));
                let _ = write!(lark, " {}", rule(name));
            }
            Token::Text(text) => {
                let _ = write!(lark, " {}", serde_json::Value::from(text.as_str()));
            }
            Token::Class(pattern) => {
                let _ = write!(lark, " /{pattern}/");
            }
            // A repetition belongs to what stands right before it.
            Token::Same(mark) => lark.push_str(mark),
        }
    }
    if !defined.contains("start") {
        return Err("the grammar has no rule named root".into());
    }
    if let Some((name, line)) = used.iter().find(|(name, _)| !defined.contains(name)) {
        return Err(format!("line {line}: no rule is named {}", name.trim_start_matches("r_")));
    }
    Ok(lark)
}

/// Lark wants rules in lower case without dashes; a prefix keeps them apart from its own words.
fn rule(name: &str) -> String {
    if name == "root" {
        return "start".into();
    }
    let mut rule = String::from("r_");
    for c in name.chars() {
        match c {
            '-' => rule.push_str("_d"),
            '_' => rule.push_str("_u"),
            c if c.is_ascii_uppercase() => {
                rule.push_str("_c");
                rule.push(c.to_ascii_lowercase());
            }
            c => rule.push(c),
        }
    }
    rule
}

/// The tokens of a grammar, each with its line, counted from 1.
fn read(grammar: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut rest = grammar;
    while let Some(c) = rest.chars().next() {
        let line = 1 + grammar[..grammar.len() - rest.len()].matches('\n').count();
        let at = |reason: &str| format!("line {line}: {reason}");
        let (token, length) = match c {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '#' => (None, rest.find('\n').unwrap_or(rest.len())),
            ':' if rest.starts_with("::=") => (Some(Token::Defines), 3),
            '"' => {
                let (text, length) = quoted(rest).map_err(|reason| at(&reason))?;
                (Some(Token::Text(text)), length)
            }
            '[' => {
                let (class, length) = class(rest).map_err(|reason| at(&reason))?;
                (Some(Token::Class(class)), length)
            }
            '.' => (Some(Token::Class("(?s:.)".into())), 1),
            '|' | '(' | ')' => (Some(Token::Same(format!(" {c}"))), 1),
            '*' | '+' | '?' => (Some(Token::Same(c.into())), 1),
            '{' => {
                let end = rest.find('}').ok_or_else(|| at("a { without its }"))?;
                let bounds: String = rest[1..end].split_whitespace().collect();
                let numbers = || bounds.split(',').all(|n| n.bytes().all(|b| b.is_ascii_digit()));
                if bounds.is_empty() || bounds.split(',').count() > 2 || !numbers() {
                    return Err(at("a repetition is {m}, {m,} or {m,n}"));
                }
                (Some(Token::Same(format!("{{{bounds}}}"))), end + 1)
            }
            c if c.is_ascii_alphanumeric() => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
                (Some(Token::Name(rest[..length].into())), length)
            }
            c => return Err(at(&format!("{c:?} means nothing here"))),
        };
        tokens.extend(token.map(|token| (line, token)));
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// The text between quotes, and the bytes it takes with them.
fn quoted(rest: &str) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut i = 1;
    loop {
        match rest[i..].chars().next() {
            None => return Err("a text without its closing quote".into()),
            Some('"') => return Ok((text, i + 1)),
            Some('\\') => {
                let (c, length) = escaped(&rest[i..])?;
                text.push(c);
                i += length;
            }
            Some(c) => {
                text.push(c);
                i += c.len_utf8();
            }
        }
    }
}

/// The regular expression of `[…]`, and the bytes it takes.
fn class(rest: &str) -> Result<(String, usize), String> {
    let mut pattern = String::from("[");
    let mut i = 1;
    if rest[i..].starts_with('^') {
        pattern.push('^');
        i += 1;
    }
    loop {
        match rest[i..].chars().next() {
            None => return Err("a [ without its ]".into()),
            Some(']') => {
                pattern.push(']');
                return Ok((pattern, i + 1));
            }
            Some('-') => {
                pattern.push('-');
                i += 1;
            }
            Some('\\') => {
                let (c, length) = escaped(&rest[i..])?;
                let _ = write!(pattern, "\\x{{{:x}}}", u32::from(c));
                i += length;
            }
            Some(c) => {
                let _ = write!(pattern, "\\x{{{:x}}}", u32::from(c));
                i += c.len_utf8();
            }
        }
    }
}

/// The character of `\n`, `\x41`, `\u00e4`, `\U0001f600` or `\"`, and the bytes it takes.
fn escaped(rest: &str) -> Result<(char, usize), String> {
    let sign = rest[1..].chars().next().ok_or("a \\ at the end")?;
    let digits = match sign {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'n' => return Ok(('\n', 2)),
        'r' => return Ok(('\r', 2)),
        't' => return Ok(('\t', 2)),
        '\\' | '"' | '[' | ']' | '-' | '^' | '/' => return Ok((sign, 2)),
        other => return Err(format!("\\{other} is no escape")),
    };
    let code = rest.get(2..2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    let c = code.and_then(char::from_u32);
    c.map(|c| (c, 2 + digits)).ok_or_else(|| format!("\\{sign} wants {digits} hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_texts_classes_and_repetitions_are_rewritten() {
        let grammar =
            "# which\nroot ::= (\"a\\\"b\" | Word-x)+\n  [^a-z\\]]{2,3}\nWord-x ::= . [/]?\n";
        let lark = to_lark(grammar).unwrap();
        assert_eq!(
            lark,
            "\nstart: ( \"a\\\"b\" | r__cword_dx )+ /[^\\x{61}-\\x{7a}\\x{5d}]/{2,3}\
             \nr__cword_dx: /(?s:.)/ /[\\x{2f}]/?"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let wrong = [
            ("", "no rule named root"),
            ("a ::= \"x\"", "no rule named root"),
            ("root ::= b", "line 1: no rule is named b"),
            ("root ::= \"x\"\nroot ::= \"y\"", "line 2: the rule root is defined twice"),
            ("root ::= \"x", "line 1: a text without"),
            ("root ::=\n [a-", "line 2: a [ without"),
            ("root ::= \"\\q\"", "\\q is no escape"),
            ("root ::= \"\\ud800\"", "hexadecimal"),
            ("root ::= a{1,2,3}", "a repetition is"),
            ("root ::= §", "means nothing"),
            ("\"x\"", "begins with"),
            ("root ::= \"x\" ::= \"y\"", "before ::="),
        ];
        for (grammar, reason) in wrong {
            let said = to_lark(grammar).unwrap_err();
            assert!(said.contains(reason), "{grammar:?}: {said}");
        }
    }

    #[test]
    fn different_names_stay_different() {
        let names = ["a-b", "a_b", "aB", "ab", "a-B", "a_db"];
        let rules: BTreeSet<String> = names.iter().map(|name| rule(name)).collect();
        assert_eq!(rules.len(), names.len());
    }
}
