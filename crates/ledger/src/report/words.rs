//! Numbers as people read them, and text made safe for HTML.

/// Text as it may stand in HTML and SVG, between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `950`, `12.4k`, `2.46M`, `1.2B`, `15T`.
pub(super) fn short(x: f64) -> String {
    let size = x.abs();
    let (scaled, unit) = match size {
        size if size < 1e4 => (x, ""),
        size if size < 1e6 => (x / 1e3, "k"),
        size if size < 1e9 => (x / 1e6, "M"),
        size if size < 1e12 => (x / 1e9, "B"),
        _ => (x / 1e12, "T"),
    };
    let decimals = match scaled.abs() {
        scaled if scaled >= 100.0 || (unit.is_empty() && scaled.fract() == 0.0) => 0,
        scaled if scaled >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}{unit}")
}

/// `9.00 × 10¹²`; plain where the number is short.
pub(super) fn power_of_ten(x: f64) -> String {
    if x == 0.0 || (0.01..1e5).contains(&x.abs()) {
        return short(x);
    }
    let text = format!("{x:.2e}");
    match text.split_once('e') {
        Some(("1.00", exponent)) => format!("10<sup>{exponent}</sup>"),
        Some((mantissa, exponent)) => format!("{mantissa}&thinsp;×&thinsp;10<sup>{exponent}</sup>"),
        None => text,
    }
}

pub(super) fn energy(kwh: f64) -> String {
    let (unit, scale) = energy_unit(kwh);
    format!("{} {unit}", three_digits(kwh * scale))
}

/// The unit in which so many kilowatt-hours are a short number, and how many of it one is.
pub(super) fn energy_unit(kwh: f64) -> (&'static str, f64) {
    match kwh {
        kwh if kwh < 1e-3 => ("J", 3.6e6),
        kwh if kwh < 1.0 => ("Wh", 1e3),
        kwh if kwh < 1e3 => ("kWh", 1.0),
        _ => ("MWh", 1e-3),
    }
}

/// `283`, `11.1`, `9.45`, `0.318`.
pub(super) fn three_digits(x: f64) -> String {
    let decimals = match x.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.01 => 3,
        _ => return power_of_ten(x),
    };
    format!("{x:.decimals$}")
}

pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 7.0, 0.5, 9999.0, 12_345.0, 2_457_000.0, 1.2e9, 1.5e13].map(short);
        assert_eq!(shown, ["0", "7", "0.50", "9999", "12.3k", "2.46M", "1.20B", "15.0T"]);
    }

    #[test]
    fn times_and_energies_choose_their_unit() {
        let times = [3.21, 75.0, 3_725.0, 180_000.0].map(duration);
        assert_eq!(times, ["3.2 s", "1 min 15 s", "1 h 02 min", "2 d 02 h"]);
        let energies = [1e-4, 0.0094, 3.0, 4200.0].map(energy);
        assert_eq!(energies, ["360 J", "9.40 Wh", "3.00 kWh", "4.20 MWh"]);
    }
}
