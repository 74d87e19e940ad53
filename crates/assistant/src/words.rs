//! Words for people: dates written out, numbers with their separators.

use jiff::civil::Date;
use vault::when;

/// `1 mail`, `1,204 mails`.
pub(crate) fn count_of(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(n))
}

/// `1,204`.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,204`, `4.50`: cents when there are any.
pub(crate) fn decimal(value: f64) -> String {
    let cents = (value * 100.0).round();
    if cents.abs() >= 1e15 {
        return value.to_string();
    }
    let (whole, rest) = (cents.abs() as usize / 100, cents.abs() as usize % 100);
    let sign = if cents < 0.0 { "−" } else { "" };
    if rest == 0 {
        format!("{sign}{}", grouped(whole))
    } else {
        format!("{sign}{}.{rest:02}", grouped(whole))
    }
}

/// `3 May 2026`.
pub(crate) fn day(date: Date) -> String {
    format!("{} {} {}", date.day(), when::long_month(date), date.year())
}

/// `Tuesday 3 May 2026`.
pub(crate) fn weekday_and_day(date: Date) -> String {
    let weekday = match date.weekday() {
        jiff::civil::Weekday::Monday => "Monday",
        jiff::civil::Weekday::Tuesday => "Tuesday",
        jiff::civil::Weekday::Wednesday => "Wednesday",
        jiff::civil::Weekday::Thursday => "Thursday",
        jiff::civil::Weekday::Friday => "Friday",
        jiff::civil::Weekday::Saturday => "Saturday",
        jiff::civil::Weekday::Sunday => "Sunday",
    };
    format!("{weekday} {}", day(date))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
