//! Counting again: whether a disclosure says what its journals say.

use serde_json::Value;

use super::{Account, DeclaredRun, Disclosure, SCHEMA, disclose, disclose_declared};
use crate::Timestamp;

/// A place where the document and the recount part ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Like `compute.model_flop.value`.
    pub place: String,
    pub stated: Value,
    pub counted: Value,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: the document says {}, the recount {}", self.place, self.stated, self.counted)
    }
}

/// Words that explain a value: another version of the program may put them differently.
const WORDS: [&str; 3] = ["method", "what", "source"];

/// Writes the disclosure again from the same journals and compares every value. Empty: it holds.
pub fn recount(
    document: &Value,
    accounts: &[Account<'_>],
    corpus: Option<&Value>,
) -> Vec<Difference> {
    against(document, |at| disclose(accounts, corpus, at))
}

/// The same from the file of facts that a declared run's disclosure was written from.
pub fn recount_declared(document: &Value, run: &DeclaredRun, text: &str) -> Vec<Difference> {
    against(document, |at| disclose_declared(run, text, at).ok())
}

fn against(document: &Value, again: impl Fn(Timestamp) -> Option<Disclosure>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let schema = &document["schema"];
    let at = document["generated_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let again = at.and_then(|at| serde_json::to_value(again(at)?).ok());
    match again {
        Some(again) if schema == SCHEMA => compare("", document, &again, &mut differences),
        _ => differences.push(Difference {
            place: "schema".into(),
            stated: schema.clone(),
            counted: SCHEMA.into(),
        }),
    }
    differences
}

fn compare(place: &str, stated: &Value, counted: &Value, differences: &mut Vec<Difference>) {
    let below =
        |key: &str| if place.is_empty() { key.to_string() } else { format!("{place}.{key}") };
    match (stated, counted) {
        (Value::Object(stated), Value::Object(counted)) => {
            let only_counted = counted.keys().filter(|key| !stated.contains_key(*key));
            for key in stated.keys().chain(only_counted) {
                if WORDS.contains(&key.as_str()) {
                    continue;
                }
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                compare(&below(key), &of(stated), &of(counted), differences);
            }
        }
        (Value::Array(stated), Value::Array(counted)) if stated.len() == counted.len() => {
            for (i, (stated, counted)) in stated.iter().zip(counted).enumerate() {
                compare(&below(&i.to_string()), stated, counted, differences);
            }
        }
        _ if same(stated, counted) => {}
        _ => differences.push(Difference {
            place: place.into(),
            stated: stated.clone(),
            counted: counted.clone(),
        }),
    }
}

/// Numbers as numbers: `1e3` and `1000` are one.
fn same(stated: &Value, counted: &Value) -> bool {
    stated == counted || (stated.is_number() && stated.as_f64() == counted.as_f64())
}
