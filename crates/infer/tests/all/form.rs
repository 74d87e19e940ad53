//! Answers of a given form, from a model that knows nothing: whatever it would say, the form holds.

use crate::tiny::{engine, prompt};
use infer::{Cancel, Error, Finish, Form, GenerateOptions, Generation, Sampling, Session};
use serde_json::{Value, json};

fn answer(form: Form, seed: u64, max_tokens: usize) -> Result<Generation, Error> {
    // Random logits with a little help to come to an end.
    let bias = vec![(2, 4.0), (crate::tiny::letter('"'), 2.0), (crate::tiny::letter('}'), 2.0)];
    let sampling = Sampling { temperature: 1.0, seed, logit_bias: bias, ..Sampling::default() };
    let options =
        GenerateOptions { sampling, max_tokens, form: Some(form), ..GenerateOptions::default() };
    Session::new(&engine()).generate(&prompt(5), &options, &Cancel::new(), &mut |_| {})
}

#[test]
fn json_keeps_to_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 6 },
            "age": { "type": "integer", "minimum": 1, "maximum": 99 },
            "kind": { "enum": ["cat", "dog"] },
        },
        "required": ["name", "age", "kind"],
        "additionalProperties": false,
    });
    let mut kinds = Vec::new();
    for seed in 0..12 {
        let said = answer(Form::JsonSchema(schema.clone()), seed, 200).unwrap();
        assert_eq!(said.finish, Finish::Stop, "{:?}", said.text);
        let value: Value = serde_json::from_str(&said.text).unwrap();
        assert!(value["name"].as_str().unwrap().chars().count() <= 6);
        assert!((1..=99).contains(&value["age"].as_i64().unwrap()));
        kinds.push(value["kind"].as_str().unwrap().to_owned());
        assert_eq!(value.as_object().unwrap().len(), 3);
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["cat", "dog"], "the model still chooses");
}

#[test]
fn an_expression_matches_from_start_to_end() {
    let pattern = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])";
    for seed in 0..6 {
        let said = answer(Form::Regex(pattern.into()), seed, 50).unwrap();
        assert_eq!((said.text.len(), said.finish), (7, Finish::Stop), "{}", said.text);
        let (year, month) = said.text.split_once('-').unwrap();
        assert!((1900..2100).contains(&year.parse::<u32>().unwrap()));
        assert!((1..=12).contains(&month.parse::<u32>().unwrap()));
    }
}

#[test]
fn a_grammar_of_llama_cpp_is_kept() {
    let grammar = "root ::= pair (\",\" pair){1,2}\npair ::= [A-C] \"=\" (\"yes\" | no-word)\nno-word ::= \"no\"";
    for seed in 0..6 {
        let said = answer(Form::Gbnf(grammar.into()), seed, 80).unwrap();
        assert_eq!(said.finish, Finish::Stop, "{}", said.text);
        let pairs: Vec<&str> = said.text.split(',').collect();
        assert!((2..=3).contains(&pairs.len()), "{}", said.text);
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap();
            assert!(["A", "B", "C"].contains(&name) && ["yes", "no"].contains(&value), "{pair}");
        }
    }
}

#[test]
fn a_form_that_cannot_be_is_an_error() {
    let deep = "(".repeat(5000) + &")".repeat(5000);
    let wrong = [
        Form::Regex("(".into()),
        Form::Regex(deep),
        Form::JsonSchema(json!({ "type": "nothing" })),
        Form::JsonSchema(json!({ "$ref": "#/$defs/absent" })),
        Form::Gbnf("root ::= a".into()),
        Form::Lark("start: nowhere".into()),
    ];
    for form in wrong {
        let refused = answer(form.clone(), 0, 5);
        assert!(matches!(refused, Err(Error::Form(_))), "{form:?}: {refused:?}");
    }
}
