//! Filters as a bit set over chunks, made inside the index; and the exact check that days alone cannot make.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, params};

use super::{Chip, Interval, Parsed};
use crate::error::Result;
use crate::index::read::{Bits, State};
use crate::lookup::{events, people};
use crate::store::write::tag_facet;
use crate::text::header::day_facet;
use crate::text::words::Stems;

/// The chunks that the filters let through (`None`: all), and the chips with what they turned out to mean.
pub(super) fn allowed(
    db: &Connection,
    state: &State,
    parsed: &Parsed,
) -> Result<(Option<Bits>, Vec<Chip>)> {
    let mut chips = parsed.chips.clone();
    let mut groups: Vec<Vec<String>> = Vec::new();
    if !parsed.kinds.is_empty() {
        groups.push(parsed.kinds.iter().map(|kind| format!("#k{}", *kind as u8)).collect());
    }
    if !parsed.sources.is_empty() {
        groups.push(parsed.sources.iter().map(|source| format!("#s{}", source.0)).collect());
    }
    for tag in &parsed.tags {
        groups.push(vec![tag_facet(tag)]);
    }
    if let Some(interval) = parsed.interval {
        let mut facets = cover(interval);
        facets.push("#repeats".to_owned());
        groups.push(facets);
    }
    let named = parsed.from.iter().map(|named| ('f', named));
    for (role, (name, written)) in named.chain(parsed.people.iter().map(|named| ('p', named))) {
        let matching = people::named(db, name)?;
        let shown = match matching.as_slice() {
            [(one, _)] => one.clone(),
            _ => name.clone(),
        };
        let identifiers = matching.iter().flat_map(|(_, identifiers)| identifiers);
        chips.push(Chip {
            field: if role == 'f' { "from" } else { "with" }.to_owned(),
            shown,
            words: written.clone(),
            known: !matching.is_empty(),
        });
        groups.push(identifiers.map(|id| format!("#{role}{id}")).collect());
    }
    let mut allowed: Option<Bits> = None;
    for group in groups {
        let bits = state.any_of(db, &group)?;
        match &mut allowed {
            Some(allowed) => allowed.and(&bits),
            None => allowed = Some(bits),
        }
    }
    if !parsed.without.is_empty() {
        let mut stems = Stems::default();
        let mut terms = Vec::new();
        for word in &parsed.without {
            for token in crate::text::words::tokens(word) {
                terms.extend(stems.stems_of(&token.term));
            }
        }
        let without = state.any_of(db, &terms)?;
        let all = allowed.get_or_insert_with(|| Bits::full(state.lengths.len()));
        all.and_not(&without);
    }
    Ok((allowed, chips))
}

/// Days, months and years that together hold every instant of the interval, coarse where they fit whole.
fn cover(interval: Interval) -> Vec<String> {
    // Mail from before and appointments beyond these years are not looked for by date.
    let (oldest, newest) = (Date::constant(1900, 1, 1), Date::constant(2199, 12, 31));
    let day_of = |second: i64, beyond: Date| {
        Timestamp::from_second(second).map_or(beyond, |t| TimeZone::UTC.to_datetime(t).date())
    };
    let first = day_of(interval.start, oldest).clamp(oldest, newest);
    let last = day_of(interval.end.saturating_sub(1), newest).clamp(oldest, newest);
    let mut facets = Vec::new();
    let mut day = first;
    while day <= last {
        let year_end = day.last_of_year();
        let month_end = day.last_of_month();
        let end = if day.day_of_year() == 1 && year_end <= last {
            facets.push(format!("#y{}", day.year()));
            year_end
        } else if day.day() == 1 && month_end <= last {
            facets.push(format!("#m{}{:02}", day.year(), day.month()));
            month_end
        } else {
            facets.push(format!("#{}", day_facet(day)));
            day
        };
        let Ok(next) = end.tomorrow() else { break };
        day = next;
    }
    // A span of more than two months has no day facets; its months say that it may touch the days above.
    let mut months: Vec<String> = facets
        .iter()
        .filter(|facet| facet.starts_with("#d"))
        .map(|facet| format!("#long{}", &facet[2..8]))
        .collect();
    months.dedup();
    facets.extend(months);
    facets
}

/// The exact check of an item's dates against the interval: facets are whole days in UTC.
pub(super) fn holds(db: &Connection, parsed: &Parsed, item: i64) -> Result<bool> {
    let Some(interval) = parsed.interval else { return Ok(true) };
    let within: bool = db
        .prepare_cached(
            "SELECT start IS NOT NULL AND start < ?3 AND (start >= ?2 OR coalesce(end, start) > ?2)
             FROM item WHERE id = ?1",
        )?
        .query_row(params![item, interval.start, interval.end], |row| row.get(0))?;
    Ok(within || events::happens_in(db, item, interval)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: Date) -> i64 {
        TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap().as_second()
    }

    #[test]
    fn an_interval_is_covered_by_few_facets() {
        use jiff::civil::date;
        let cover_of = |a, b| cover(Interval { start: at(a), end: at(b) });
        assert_eq!(cover_of(date(2026, 6, 1), date(2026, 7, 1)), ["#m202606"]);
        assert_eq!(cover_of(date(2025, 1, 1), date(2026, 1, 1)), ["#y2025"]);
        assert_eq!(
            cover_of(date(2025, 12, 31), date(2026, 2, 2)),
            ["#d20251231", "#m202601", "#d20260201", "#long202512", "#long202602"]
        );
        assert!(cover(Interval { start: i64::MIN / 2, end: i64::MAX / 2 }).len() <= 300);
        assert!(cover(Interval { start: 10, end: 10 }).len() <= 2);
    }
}
