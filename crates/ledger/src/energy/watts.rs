//! Watts of one busy core: the processor's design power (as its maker's product page states it) divided by its cores.

/// Model name fragment, design power in watts, cores. Longer names first where one contains another.
const PROCESSORS: &[(&str, f64, f64)] = &[
    ("EPYC 7B13", 240.0, 64.0),
    ("EPYC 7R13", 225.0, 48.0),
    ("EPYC 7763", 280.0, 64.0),
    ("EPYC 7742", 225.0, 64.0),
    ("EPYC 7713", 225.0, 64.0),
    ("EPYC 7543", 225.0, 32.0),
    ("EPYC 9654", 360.0, 96.0),
    ("EPYC 9554", 360.0, 64.0),
    ("EPYC 9354", 280.0, 32.0),
    ("Ryzen 9 9950X", 170.0, 16.0),
    ("Ryzen 9 7950X", 170.0, 16.0),
    ("Ryzen 9 5950X", 105.0, 16.0),
    ("Ryzen 9 5900X", 105.0, 12.0),
    ("Ryzen 7 7700X", 105.0, 8.0),
    ("Ryzen 7 5800X", 105.0, 8.0),
    ("Ryzen 5 5600X", 65.0, 6.0),
    ("Platinum 8480", 350.0, 56.0),
    ("Platinum 8380", 270.0, 40.0),
    ("Platinum 8280", 205.0, 28.0),
    ("Platinum 8175M", 240.0, 24.0),
    ("Gold 6248", 150.0, 20.0),
    ("E5-2690 v4", 135.0, 14.0),
    ("E5-2680 v4", 120.0, 14.0),
    ("i9-13900K", 125.0, 24.0),
    ("i9-12900K", 125.0, 16.0),
    ("i7-13700", 65.0, 16.0),
    ("i7-12700", 65.0, 12.0),
    ("i7-8700K", 95.0, 6.0),
    ("i5-12400", 65.0, 6.0),
    ("i7-1185G7", 28.0, 4.0),
];

/// Watts of one busy core with the range believed in, and where they are from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PerCore {
    pub(super) watts: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) source: String,
}

impl PerCore {
    pub(super) fn declared(watts: f64) -> Self {
        Self { watts, low: watts, high: watts, source: "declared".into() }
    }
}

/// The range of a known processor reaches from half its share of the design power (light vector work, low clocks) to
/// one and a half times (boost, and the parts of the package that idle cores share). Nothing known: 3 to 15 W, from
/// the extremes of the table.
pub(super) fn per_core(cpu_name: &str) -> PerCore {
    match PROCESSORS.iter().find(|(fragment, ..)| cpu_name.contains(fragment)) {
        Some(&(fragment, watts, cores)) => PerCore {
            watts: watts / cores,
            low: 0.5 * watts / cores,
            high: 1.5 * watts / cores,
            source: format!("design power of {fragment}: {watts} W for {cores} cores"),
        },
        None => PerCore {
            watts: 7.0,
            low: 3.0,
            high: 15.0,
            source: format!("no design power known for `{cpu_name}`, usual for a server core"),
        },
    }
}
