//! Line charts as inline SVG: axes with round numbers, thinned-out lines, values that show under the pointer.

use std::fmt::Write;

use super::words::{escape, short};

/// Points of one line, in order of x; values that are not finite break it.
pub(super) type Points = Vec<(f64, f64)>;

#[derive(Default)]
pub(super) struct Series {
    /// Named in the key where a chart has several.
    pub(super) name: String,
    pub(super) points: Points,
    /// Colour `--c0` to `--c7`.
    pub(super) colour: usize,
    /// Drawn as dots joined by a line, for values taken now and then.
    pub(super) dots: bool,
}

/// What a chart shows.
#[derive(Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) unit: String,
    pub(super) series: Vec<Series>,
    /// Stretches that were rolled back.
    pub(super) lost: Vec<Points>,
    /// Where the run was resumed.
    pub(super) marks: Vec<f64>,
    /// The smallest value belongs to the axis even if no point lies there.
    pub(super) from_zero: bool,
    /// Smoothed line over a pale one.
    pub(super) smooth: bool,
    /// Steps the chart covers at least, so that charts side by side have one axis.
    pub(super) steps: Option<[f64; 2]>,
}

#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
    x: [f64; 2],
    y: [f64; 2],
}

const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

impl Frame {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x - self.x[0]) / (self.x[1] - self.x[0]);
        let up = ((y - self.y[0]) / (self.y[1] - self.y[0])).clamp(-0.02, 1.02);
        (
            LEFT + across * (self.width - LEFT - RIGHT),
            self.height - BOTTOM - up * (self.height - TOP - BOTTOM),
        )
    }
}

impl Chart {
    /// A card of the page. A hero is drawn twice, wide and narrow; style shows the one that fits.
    pub(super) fn card(&self, hero: bool) -> String {
        if self.series.iter().all(|series| series.points.is_empty()) {
            return String::new();
        }
        let mut out = format!(
            "<div class=\"card{}\"><h3>{}<small>{}</small></h3>",
            if hero { " hero" } else { "" },
            escape(&self.title),
            escape(&self.unit)
        );
        out += &self.key();
        if hero {
            let _ = write!(
                out,
                "<div class=\"wide\">{}</div><div class=\"narrow\">{}</div>",
                self.drawing(980.0, 300.0),
                self.drawing(400.0, 240.0)
            );
        } else {
            out += &self.drawing(460.0, 200.0);
        }
        out + "</div>\n"
    }

    fn key(&self) -> String {
        let mut entries: Vec<String> = Vec::new();
        if self.series.len() > 1 {
            for series in &self.series {
                let colour = series.colour % 8;
                entries.push(format!(
                    "<span><i style=\"border-color:var(--c{colour})\"></i>{}</span>",
                    escape(&series.name)
                ));
            }
        }
        if !self.lost.is_empty() {
            entries.push("<span><i class=\"dashed\" style=\"border-color:var(--lost)\"></i>rolled back</span>".into());
        }
        if entries.is_empty() {
            String::new()
        } else {
            format!("<div class=\"key\">{}</div>", entries.concat())
        }
    }

    fn drawing(&self, width: f64, height: f64) -> String {
        let frame = self.frame(width, height);
        let mut out = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        );
        axes(&mut out, frame);
        for mark in &self.marks {
            let (x, _) = frame.at((*mark, 0.0));
            let _ = write!(
                out,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"><title>resumed from step {}</title></line>",
                height - BOTTOM,
                short(*mark)
            );
        }
        let columns = (width / 2.2) as usize;
        for series in &self.series {
            self.line(&mut out, frame, series, columns);
        }
        for lost in &self.lost {
            let _ = write!(
                out,
                "<path class=\"lost\" d=\"{}\"/>",
                path(frame, &thinned(lost, columns))
            );
        }
        self.probes(&mut out, frame);
        out + "</svg>"
    }

    fn line(&self, out: &mut String, frame: Frame, series: &Series, columns: usize) {
        let colour = series.colour % 8;
        let thin = thinned(&series.points, columns);
        if self.smooth && series.points.len() > 30 {
            let _ = write!(
                out,
                "<path class=\"raw\" style=\"stroke:var(--c{colour})\" d=\"{}\"/>",
                path(frame, &thin)
            );
            let smooth = thinned(&smoothed(&series.points), columns);
            let _ = write!(
                out,
                "<path class=\"line\" style=\"stroke:var(--c{colour})\" d=\"{}\"/>",
                path(frame, &smooth)
            );
            return;
        }
        let _ = write!(
            out,
            "<path class=\"line\" style=\"stroke:var(--c{colour})\" d=\"{}\"/>",
            path(frame, &thin)
        );
        if series.dots {
            for point in thin.iter().filter(|point| point.1.is_finite()) {
                let (x, y) = frame.at(*point);
                let _ = write!(
                    out,
                    "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" style=\"fill:var(--c{colour})\"/>"
                );
            }
        }
    }

    /// Strips over the drawing; the one under the pointer shows its value.
    fn probes(&self, out: &mut String, frame: Frame) {
        let Some(first) = self.series.first() else { return };
        let points: Points =
            thinned(&first.points, 60).into_iter().filter(|p| p.1.is_finite()).collect();
        for (i, point) in points.iter().enumerate() {
            let (x, y) = frame.at(*point);
            let before = if i == 0 { LEFT } else { 0.5 * (x + frame.at(points[i - 1]).0) };
            let after =
                points.get(i + 1).map_or(frame.width - RIGHT, |next| 0.5 * (x + frame.at(*next).0));
            let (anchor, shift) =
                if x > 0.6 * frame.width { ("end", -7.0) } else { ("start", 7.0) };
            let low = frame.height - BOTTOM;
            let _ = write!(
                out,
                "<g class=\"probe\"><rect x=\"{before:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\
                 <line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{low:.1}\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" style=\"fill:var(--c{})\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{} at step {}</text></g>",
                (after - before).max(0.0),
                low - TOP,
                first.colour % 8,
                x + shift,
                TOP + 11.0,
                value(point.1),
                short(point.0)
            );
        }
    }

    fn frame(&self, width: f64, height: f64) -> Frame {
        let points = || {
            self.series.iter().flat_map(|series| &series.points).chain(self.lost.iter().flatten())
        };
        let finite = || points().filter(|point| point.1.is_finite());
        let [mut low, mut high] = robust(finite().map(|point| point.1).collect());
        if self.from_zero {
            low = low.min(0.0);
        }
        if high - low < 1e-12 * high.abs().max(1e-12) {
            (low, high) = (low - 0.5 * low.abs().max(1e-9), high + 0.5 * high.abs().max(1e-9));
        }
        let margin = 0.05 * (high - low);
        let x = |of: fn(f64, f64) -> f64, from| points().map(|point| point.0).fold(from, of);
        let [first, last] = self.steps.unwrap_or([f64::INFINITY, f64::NEG_INFINITY]);
        let (first, last) = (x(f64::min, first), x(f64::max, last));
        let floor = if self.from_zero && low >= 0.0 { low } else { low - margin };
        Frame { width, height, x: [first, last.max(first + 1.0)], y: [floor, high + margin] }
    }
}

/// The interval to show: all but the most extreme hundredth above, so that the first steps do not flatten the rest.
fn robust(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(&low), Some(&high)) => {
            let usual = values[(values.len() - 1) * 99 / 100];
            [low, if high - low > 3.0 * (usual - low) && usual > low { usual } else { high }]
        }
        _ => [0.0, 1.0],
    }
}

/// At most `columns` points: of each bin the mean. A bin without a finite value breaks the line.
fn thinned(points: &[(f64, f64)], columns: usize) -> Points {
    if points.len() <= columns {
        return points.to_vec();
    }
    let bin = points.len().div_ceil(columns.max(1));
    let mean = |bin: &[(f64, f64)]| {
        let finite: Points = bin.iter().copied().filter(|point| point.1.is_finite()).collect();
        let n = finite.len() as f64;
        let x = bin.iter().map(|point| point.0).sum::<f64>() / bin.len() as f64;
        (
            x,
            if finite.is_empty() {
                f64::NAN
            } else {
                finite.iter().map(|point| point.1).sum::<f64>() / n
            },
        )
    };
    points.chunks(bin).map(mean).collect()
}

/// A mean over the neighbours on both sides, about a thirtieth of the run in all: it does not lag behind.
fn smoothed(points: &[(f64, f64)]) -> Points {
    let reach = (points.len() / 60).clamp(2, 200);
    // Sums and counts of the finite values before each point.
    let mut before = vec![(0.0, 0.0)];
    for &(_, y) in points {
        let (sum, n) = before[before.len() - 1];
        before.push(if y.is_finite() { (sum + y, n + 1.0) } else { (sum, n) });
    }
    let mean = |(i, &(x, _)): (usize, &(f64, f64))| {
        // As far to one side as to the other, or the ends would bend.
        let reach = reach.min(i).min(points.len() - 1 - i);
        let ((from, n_from), (to, n_to)) = (before[i - reach], before[i + reach + 1]);
        (x, (to - from) / (n_to - n_from))
    };
    points.iter().enumerate().map(mean).collect()
}

fn path(frame: Frame, points: &[(f64, f64)]) -> String {
    let mut out = String::new();
    let mut pen_down = false;
    for point in points {
        if !point.1.is_finite() {
            pen_down = false;
            continue;
        }
        let (x, y) = frame.at(*point);
        let _ = write!(out, "{}{x:.1} {y:.1}", if pen_down { "L" } else { "M" });
        pen_down = true;
    }
    out
}

fn axes(out: &mut String, frame: Frame) {
    let right = frame.width - RIGHT;
    for tick in ticks(frame.y, 5.0) {
        let (_, y) = frame.at((0.0, tick));
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            value(tick)
        );
    }
    for tick in ticks(frame.x, (frame.width / 110.0).max(3.0)) {
        let (x, _) = frame.at((tick, 0.0));
        let _ = write!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            frame.height - 7.0,
            short(tick)
        );
    }
}

/// Round numbers inside an interval, about `n` of them: steps of 1, 2 or 5 times a power of ten.
fn ticks([low, high]: [f64; 2], n: f64) -> Vec<f64> {
    let rough = (high - low) / n;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
    let step = step.unwrap_or(power);
    if !(step.is_finite() && step > 0.0) {
        return Vec::new();
    }
    let first = (low / step).ceil() as i64;
    let last = ((high / step).floor() as i64).min(first.saturating_add(20));
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Enough digits to tell neighbours apart.
fn value(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if size >= 1e4 => short(x),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 1.0 => trimmed(format!("{x:.2}")),
        size if size >= 1e-4 => trimmed(format!("{x:.5}")),
        _ => {
            let text = format!("{x:.1e}");
            text.replace(".0e", "e")
        }
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks([0.3, 9.7], 5.0), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(ticks([1.0, 600.0], 4.0), [200.0, 400.0, 600.0]);
        for odd in [[0.0, 0.0], [1.0, f64::NAN], [f64::NEG_INFINITY, 1.0]] {
            assert!(ticks(odd, 5.0).len() <= 1, "{odd:?}");
        }
    }

    #[test]
    fn thinning_keeps_the_mean_and_gaps_where_nothing_is_a_number() {
        let points: Points =
            (0..100).map(|i| (f64::from(i), if i < 10 { f64::NAN } else { 2.0 })).collect();
        let thin = thinned(&points, 10);
        assert_eq!(thin.len(), 10);
        assert!(thin[0].1.is_nan());
        assert!(thin[1..].iter().all(|point| point.1 == 2.0));
    }

    #[test]
    fn smoothing_leaves_a_straight_line_and_passes_over_what_is_no_number() {
        let mut points: Points = (0..200).map(|i| (f64::from(i), f64::from(i) * 0.5)).collect();
        for (smooth, point) in smoothed(&points).iter().zip(&points) {
            assert!((smooth.1 - point.1).abs() < 1e-9);
        }
        points[100].1 = f64::NAN;
        assert!(smoothed(&points).iter().all(|point| point.1.is_finite()));
    }

    #[test]
    fn a_first_step_far_above_the_rest_does_not_flatten_the_curve() {
        let mut values = vec![1.0; 500];
        values.extend((0..500).map(|i| 1.0 + f64::from(i) / 500.0));
        values.push(900.0);
        assert!(robust(values)[1] < 2.1);
    }
}
