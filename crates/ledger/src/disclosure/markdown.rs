//! A disclosure as a page for people.

use std::fmt::Write;

use serde_json::Value;

use super::{Declaration, Disclosure, Fact};

/// The page, in Markdown.
pub fn page(disclosure: &Disclosure) -> String {
    let mut out = format!("# Disclosure: {}\n\n", cell(disclosure.name()));
    out += &summary(disclosure);
    for section in disclosure.sections.iter().filter(|section| !section.facts.is_empty()) {
        let _ = write!(out, "\n## {}\n\n| | | known how |\n|---|---|---|\n", section.title);
        for (_, fact) in &section.facts {
            let how = if fact.method.is_empty() {
                fact.kind.name().into()
            } else {
                format!("{}: {}", fact.kind.name(), cell(&fact.method))
            };
            let _ = writeln!(out, "| {} | {} | {how} |", fact.label, stated(fact));
        }
    }
    out += &thresholds(disclosure);
    out += &checks(disclosure);
    out += &journals(disclosure);
    out
}

/// One paragraph with the numbers people ask for first.
pub(super) fn summary(disclosure: &Disclosure) -> String {
    let mut sentences = Vec::new();
    let number = |section, id| disclosure.number(section, id);
    if let (Some(flop), Some(tokens)) = (number("compute", "model_flop"), number("data", "tokens"))
    {
        sentences.push(format!(
            "Training took {} model FLOPs on {} tokens.",
            amount(flop),
            amount(tokens)
        ));
    }
    if let Some(wasted) = number("compute", "wasted_pct") {
        sentences.push(format!("{} % of all work was rolled back.", amount(wasted)));
    }
    match disclosure.fact("energy", "kwh").or(disclosure.fact("energy", "kwh_at_meter")) {
        Some(kwh) => {
            let mut sentence = format!("The machine used {} ({})", stated(kwh), kwh.kind.name());
            if let Some(grams) = disclosure.fact("energy", "co2e_g") {
                let _ = write!(sentence, ", which is {}", stated(grams));
            }
            sentences.push(sentence + ".");
        }
        None if disclosure.declared.is_some() => sentences.push("Energy is not stated.".into()),
        None => sentences.push("Energy was not metered.".into()),
    }
    sentences.join(" ") + "\n"
}

fn thresholds(disclosure: &Disclosure) -> String {
    let mut out = String::from(
        "\n## Thresholds\n\n| rule | from FLOP | counted | status | factor to it |\n|---|---|---|---|---|\n",
    );
    for threshold in &disclosure.thresholds {
        let margin = threshold.margin.map_or("".into(), |margin| format!("{}×", amount(margin)));
        let _ = writeln!(
            out,
            "| {} ({}) | {} | {} | {} | {margin} |",
            cell(&threshold.what),
            threshold.source,
            amount(threshold.threshold_flop),
            amount(threshold.counted_flop),
            threshold.status
        );
    }
    out
}

fn checks(disclosure: &Disclosure) -> String {
    if disclosure.checks.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n## Checks\n\n");
    for check in &disclosure.checks {
        let _ = writeln!(
            out,
            "- {}: {} against {} ({:+.1} %), {}. {}.",
            check.name,
            amount(check.stated),
            amount(check.other),
            check.difference_pct,
            if check.flagged { "**worth a look**" } else { "in order" },
            check.method
        );
    }
    out
}

fn journals(disclosure: &Disclosure) -> String {
    if let Some(declared) = &disclosure.declared {
        return declaration(declared, disclosure.generated_at);
    }
    let mut out = String::from(
        "\n## Evidence\n\nEvery number above is counted from these journals. The hash is that of a journal's last line and stands \
         for the whole: each line carries the hash of the one before.\n\n| run | role | lines | model FLOPs | SHA-256 of the last line |\n\
         |---|---|---|---|---|\n",
    );
    for journal in &disclosure.journals {
        let role = format!("{:?}", journal.role).to_lowercase();
        let _ = writeln!(
            out,
            "| {} | {role}{} | {} | {} | `{}` |",
            cell(&journal.run_id),
            if journal.finished { "" } else { ", not finished" },
            journal.lines,
            amount(journal.model_flop),
            journal.head
        );
    }
    let _ = writeln!(out, "\nWritten at {}.", disclosure.generated_at);
    out
}

fn declaration(declared: &Declaration, at: crate::Timestamp) -> String {
    let mut out = format!(
        "\n## Evidence\n\nThis run was not metered here: every number is stated in, or computed from, a file of published facts \
         (SHA-256 `{}`).\n",
        declared.sha256
    );
    for source in &declared.sources {
        let _ = write!(out, "\n- {}", cell(source));
    }
    let _ = writeln!(out, "\n\nWritten at {at}.");
    out
}

/// Value, unit and interval.
pub(super) fn stated(fact: &Fact) -> String {
    let mut out = shown(&fact.value);
    if !fact.unit.is_empty() {
        let _ = write!(out, " {}", fact.unit);
    }
    if let (Some(low), Some(high)) = (fact.low, fact.high)
        && low < high
    {
        let _ = write!(out, " ({} to {})", amount(low), amount(high));
    }
    out
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => cell(text),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(n), _) => grouped(n),
            (None, Some(x)) => amount(x),
            (None, None) => number.to_string(),
        },
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => object(fields),
        Value::Null => "—".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
    }
}

/// `Example handbooks (version 1.2, documents 812)`: the first field names the thing if it is a text.
fn object(fields: &serde_json::Map<String, Value>) -> String {
    let name = fields.values().next().filter(|first| first.is_string());
    let rest = fields.iter().skip(usize::from(name.is_some()));
    let rest: Vec<String> = rest
        .filter(|(_, value)| !is_nothing(value))
        .map(|(key, value)| format!("{} {}", cell(key), shown(value)))
        .collect();
    match name {
        Some(name) if rest.is_empty() => shown(name),
        Some(name) => format!("{} ({})", shown(name), rest.join(", ")),
        None => rest.join(", "),
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("") || *value == Value::Bool(false)
}

/// Four digits; a power of ten where the number is long.
pub(super) fn amount(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e9).contains(&size) {
        return format!("{x:.3e}");
    }
    if size >= 1e4 && x > 0.0 {
        return grouped(x.round() as u64);
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{x:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text inside a table: no line ends, no bars, no markup of its own.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            '|' | '<' | '>' | '`' | '*' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_with_four_digits() {
        let shown: Vec<String> =
            [0.0, 4.330784e19, 1_234_567.0, 12.3456, 0.004321, 1e-5, 950.0, 3.0].map(amount).into();
        assert_eq!(
            shown,
            ["0", "4.331e19", "1,234,567", "12.35", "0.004321", "1.000e-5", "950", "3"]
        );
    }

    #[test]
    fn text_from_outside_cannot_break_out_of_its_cell() {
        assert_eq!(cell("a|b\n<script>"), "a\\|b \\<script\\>");
    }
}
