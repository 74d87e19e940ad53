//! What some sets need before their fields can be used: the clean-up that their standard evaluation prescribes.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

/// Clean-ups by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Process {
    /// Adds `query` and `choices`: the activity and the context as one text, without WikiHow's brackets.
    Hellaswag,
    /// Adds `text`: the `page` with the spaces of WikiText's tokenisation taken out.
    Wikitext,
    /// Turns `mc1_targets` and `mc2_targets` from objects (answer → label) into `choices` and `labels`.
    Truthfulqa,
}

impl Process {
    /// The document with what the clean-up adds.
    pub(super) fn apply(self, mut document: Value) -> Result<Value, String> {
        match self {
            Self::Hellaswag => {
                let endings = document["endings"].as_array().ok_or("there is no `endings`")?;
                let ending = |value: &Value| value.as_str().map(bracketless);
                let choices: Option<Vec<String>> = endings.iter().map(ending).collect();
                let choices = choices.ok_or("an ending is no text")?;
                let context = format!(
                    "{}: {} {}",
                    text(&document, "activity_label")?,
                    text(&document, "ctx_a")?,
                    capitalised(text(&document, "ctx_b")?)
                );
                document["query"] = bracketless(&context).into();
                document["choices"] = choices.into();
            }
            Self::Wikitext => {
                document["text"] = detokenised(text(&document, "page")?).into();
            }
            Self::Truthfulqa => {
                for field in ["mc1_targets", "mc2_targets"] {
                    let Some(answers) = document[field].as_object() else { continue };
                    if answers.contains_key("choices") {
                        continue;
                    }
                    let (choices, labels): (Vec<_>, Vec<_>) = answers
                        .iter()
                        .map(|(answer, label)| (answer.clone(), label.clone()))
                        .unzip();
                    document[field] = json!({ "choices": choices, "labels": labels });
                }
            }
        }
        Ok(document)
    }
}

fn text<'a>(document: &'a Value, field: &str) -> Result<&'a str, String> {
    document[field].as_str().ok_or_else(|| format!("there is no text `{field}`"))
}

fn bracketless(text: &str) -> String {
    static BRACKETS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[.*?\]").ok());
    let text = text.trim().replace(" [title]", ". ");
    let text = BRACKETS.as_ref().map_or(text.as_str().into(), |regex| regex.replace_all(&text, ""));
    text.replace("  ", " ")
}

/// As Python's `str.capitalize`: the first letter large, all others small.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>());
    first.unwrap_or_default() + &letters.as_str().to_lowercase()
}

/// Undoes the spaces that WikiText puts around signs (the rules of the set's usual detokenizer).
fn detokenised(page: &str) -> String {
    static PAIRS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let pairs = [
            (r"\(\s*([^\)]*?)\s*\)", "($1)"),
            (r"\[\s*([^\]]*?)\s*\]", "[$1]"),
            (r"\{\s*([^}]*?)\s*\}", "{$1}"),
            ("\"\\s*([^\"]*?)\\s*\"", "\"$1\""),
            (r"'\s*([^']*?)\s*'", "'$1'"),
        ];
        pairs.iter().filter_map(|(rule, by)| Some((Regex::new(rule).ok()?, *by))).collect()
    });
    let replaced = |text: String, pairs: &[(&str, &str)]| {
        pairs.iter().fold(text, |text, (from, to)| text.replace(from, to))
    };
    let signs = [
        ("s '", "s'"),
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ];
    let mut text = replaced(page.to_owned(), &signs);
    for (rule, by) in PAIRS.iter() {
        text = rule.replace_all(&text, *by).into_owned();
    }
    let rest = [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" ° ", "°"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ];
    replaced(text, &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellaswag_contexts_lose_their_brackets_and_keep_one_capital() {
        let document = json!({
            "activity_label": "Removing ice", "ctx_a": "He scrapes.", "ctx_b": "then THE man",
            "endings": [" [step] turns around [substeps] .", "sings  aloud [title] Or not"],
        });
        let done = Process::Hellaswag.apply(document).unwrap();
        assert_eq!(done["query"], "Removing ice: He scrapes. Then the man");
        assert_eq!(done["choices"], json!([" turns around .", "sings aloud. Or not"]));
        assert!(Process::Hellaswag.apply(json!({ "endings": [] })).is_err());
    }

    #[test]
    fn wikitext_signs_stand_where_people_write_them() {
        let page = " = Robert = \n He was , in 2 @.@ 5 years ( or so ) , the player 's \" first \" @-@ choice . \n";
        let done = Process::Wikitext.apply(json!({ "page": page })).unwrap();
        let wanted = " = Robert =\nHe was, in 2.5 years (or so), the player's \"first\"-choice.\n";
        assert_eq!(done["text"], wanted);
    }
}
