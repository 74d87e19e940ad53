//! What may happen to a request's body. Fuzzing (`fuzz/targets/body.rs`) makes the same changes.

use serde_json::{Value, json};

/// Reproducible choices (SplitMix64).
pub struct Choices(pub u64);

impl Choices {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// What no sensible client sends.
fn oddity(choices: &mut Choices) -> Value {
    let deep = |open: Value, wrap: fn(Value) -> Value| (0..90).fold(open, |inner, _| wrap(inner));
    match choices.below(19) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!(0.5),
        6 => json!(""),
        7 => json!("\u{0}\u{fffd}\u{202e}"),
        8 => json!("x".repeat(5000)),
        9 => json!([]),
        10 => json!({}),
        11 => deep(json!(1), |inner| json!([inner])),
        12 => deep(json!({}), |inner| json!({ "properties": { "a": inner } })),
        13 => json!({ "$ref": "#" }),
        14 => json!({ "type": "string", "pattern": "(a*)*b{1000000}" }),
        15 => json!({ "type": "array", "minItems": 1_000_000_000 }),
        16 => json!("root ::= root"),
        17 => json!("root ::= ((((\"a\"?)?)*)*)*"),
        _ => json!(["a", 1, null]),
    }
}

/// Changes one place of a value, anywhere in it.
pub fn change(value: &mut Value, choices: &mut Choices) {
    let descend = choices.below(4) > 0;
    match value {
        Value::Object(map) if descend && !map.is_empty() => {
            let key = map.keys().nth(choices.below(map.len())).unwrap().clone();
            match choices.below(8) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    let other = oddity(choices);
                    map.insert(format!("{key}_"), other);
                }
                _ => change(&mut map[&key], choices),
            }
        }
        Value::Array(items) if descend && !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.below(6) {
                0 => {
                    items.remove(at);
                }
                1 => {
                    let again = items[at].clone();
                    items.resize(items.len() + 40, again);
                }
                _ => change(&mut items[at], choices),
            }
        }
        _ => *value = oddity(choices),
    }
}

/// Cuts, flips or inserts bytes, so that it is no JSON or other JSON.
pub fn damage(bytes: &mut Vec<u8>, choices: &mut Choices) {
    let at = choices.below(bytes.len());
    match choices.below(4) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << choices.below(8),
        2 => bytes.insert(at, choices.below(256) as u8),
        _ => {
            bytes.splice(at..at, b"[[[[[[{\"a\":".repeat(40));
        }
    }
}
