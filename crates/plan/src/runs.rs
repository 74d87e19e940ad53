//! Tables of published runs: one run a line, tab-separated, columns by name in the first line.
//!
//! Tables by other people have holes. A missing size that a well-known family settles is taken from
//! `data/families.toml`; a missing choice gets a usual value and is named in the prediction; a row without the
//! sizes themselves gets a reason instead of a prediction.
//!
//! A number may have a letter behind it. Contexts (`seq`) and widths (`hidden`, `ffn`, `moe_ffn`) are powers of two, so
//! that their `8K` is 8,192 and `1M` 1,048,576; what is counted is decimal: parameters, vocabulary, batch, chips,
//! layers and experts, of which `4K` is 4,000, and M, G or B, and T are millions, billions and trillions.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::Error;
use crate::chips::{self, Chip, Precision};
use crate::shape::{Experts, Latent, Shape};

/// One published run, as far as its row says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    pub line: usize,
    pub id: String,
    pub group: String,
    pub model: String,
    pub notes: String,
    pub source: String,
    pub layers: Option<f64>,
    pub hidden: Option<f64>,
    pub heads: Option<f64>,
    pub kv_heads: Option<f64>,
    pub ffn: Option<f64>,
    pub gated: Option<bool>,
    pub vocab: Option<f64>,
    pub experts: Option<f64>,
    pub topk: Option<f64>,
    pub moe_ffn: Option<f64>,
    pub params_total: Option<f64>,
    pub params_active: Option<f64>,
    pub seq: Option<f64>,
    pub global_batch: Option<f64>,
    pub micro_batch: Option<u32>,
    pub chip: String,
    pub chips: Option<u32>,
    pub dtype: String,
    pub tp: Option<u32>,
    pub pp: Option<u32>,
    pub vpp: Option<u32>,
    pub dp: Option<u32>,
    pub cp: Option<u32>,
    pub ep: Option<u32>,
    pub zero: String,
    pub recompute: String,
    pub step_s: Option<f64>,
    pub tflops: Option<f64>,
    pub tflops_kind: String,
    pub mfu_pct: Option<f64>,
    pub mfu_peak: String,
    pub hfu_pct: Option<f64>,
    pub verified: bool,
}

/// Reads a table. `file` is for messages.
pub fn parse(text: &str, file: &str) -> Result<Vec<Run>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let syntax = |line: usize, what: String, hint: &str| Error::Syntax {
        file: file.into(),
        at: format!("line {}", line + 1),
        what,
        hint: hint.into(),
    };
    let Some((at, head)) = lines.next() else {
        return Err(syntax(0, "the table is empty".into(), "its first line names the columns"));
    };
    let columns: Vec<&str> = head.split('\t').map(str::trim).collect();
    for needed in ["id", "chip"] {
        if !columns.contains(&needed) {
            let what = format!("there is no column `{needed}`");
            return Err(syntax(
                at,
                what,
                "columns are separated by tabs and named as in published_runs.tsv",
            ));
        }
    }
    let mut runs = Vec::new();
    for (at, line) in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |name: &str| {
            let column = columns.iter().position(|column| *column == name)?;
            let text = cells.get(column)?.trim().trim_matches('"').trim();
            (!text.is_empty() && text != "-" && !text.eq_ignore_ascii_case("nan")).then_some(text)
        };
        runs.push(read(at + 1, &cell));
    }
    Ok(runs)
}

fn read<'a>(line: usize, cell: &dyn Fn(&str) -> Option<&'a str>) -> Run {
    let text = |name: &str| cell(name).unwrap_or("").to_string();
    let number = |name: &str| cell(name).and_then(leading_number);
    let size = |name: &str, thousand: f64| {
        let number = quantity(cell(name)?, thousand, 1.0);
        number.filter(|n| *n >= 1.0 && *n < 1e12)
    };
    let counted = |name: &str| size(name, 1000.0);
    let binary = |name: &str| size(name, 1024.0);
    let count = |name: &str| counted(name).filter(|n| *n <= 1e9).map(|n| n.round() as u32);
    // The column's own unit is a billion.
    let parameters =
        |name: &str| quantity(cell(name)?, 1000.0, 1e9).filter(|n| *n > 0.0 && *n < 1e18);
    Run {
        line,
        id: cell("id").map_or_else(|| format!("line {line}"), str::to_string),
        group: text("group"),
        model: text("model"),
        notes: text("notes"),
        source: text("source"),
        layers: counted("layers"),
        hidden: binary("hidden"),
        heads: counted("heads"),
        kv_heads: counted("kv_heads"),
        ffn: binary("ffn"),
        gated: cell("gated").map(|text| matches!(text, "1" | "true" | "yes" | "1.0")),
        vocab: counted("vocab"),
        experts: counted("experts"),
        topk: counted("topk"),
        moe_ffn: binary("moe_ffn"),
        params_total: parameters("params_total_B"),
        params_active: parameters("params_active_B"),
        seq: binary("seq"),
        global_batch: counted("gbs"),
        micro_batch: count("mbs"),
        chip: text("chip"),
        chips: count("chips"),
        dtype: text("dtype"),
        tp: count("tp"),
        pp: count("pp"),
        vpp: count("vpp"),
        dp: count("dp"),
        cp: count("cp"),
        ep: count("ep"),
        zero: text("zero"),
        recompute: text("recompute"),
        step_s: number("step_s").filter(|n| *n > 0.0),
        tflops: number("tflops_per_chip").filter(|n| *n > 0.0),
        tflops_kind: text("tflops_kind"),
        mfu_pct: number("mfu_pct").filter(|n| *n > 0.0),
        mfu_peak: text("mfu_peak"),
        hfu_pct: number("hfu_pct").filter(|n| *n > 0.0),
        verified: text("verified") == "yes",
    }
}

/// The number at the beginning of a cell: `989 (bf16 dense)`, `~176`, `1,024`.
fn leading_number(text: &str) -> Option<f64> {
    number_and_rest(text).map(|(number, _)| number)
}

/// A number with a letter behind it (`128K`, `1.5 T`), each step of which is a `thousand` (1,000 or 1,024); without
/// one it is in `unit`.
fn quantity(text: &str, thousand: f64, unit: f64) -> Option<f64> {
    let (number, rest) = number_and_rest(text)?;
    let mut letters = rest.trim_start().chars();
    let letter = letters.next();
    let power = match letter {
        // `4 Billion` and `8 GPUs` begin with a word, not with a unit.
        _ if letters.next().is_some_and(char::is_alphanumeric) => None,
        Some('k' | 'K') => Some(1),
        Some('M') => Some(2),
        Some('G' | 'B') => Some(3),
        Some('T') => Some(4),
        _ => None,
    };
    Some(number * power.map_or(unit, |power| thousand.powi(power)))
}

/// The number at the beginning of a cell, and what follows it.
fn number_and_rest(text: &str) -> Option<(f64, String)> {
    let text = text.trim_start_matches(['~', '>', '<', '≈']).replace(',', "");
    let end = text
        .char_indices()
        .take_while(|(_, c)| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
        .last()
        .map(|(i, c)| i + c.len_utf8())?;
    let (number, end) =
        (1..=end).rev().find_map(|end| Some((text[..end].parse::<f64>().ok()?, end)))?;
    number.is_finite().then(|| (number, text[end..].to_string()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    starts: Vec<String>,
    head_dim: Option<f64>,
    mla: Option<Latent>,
    experts: Option<f64>,
    topk: Option<f64>,
    shared_width: Option<f64>,
    dense_layers: Option<f64>,
    dense_ffn: Option<f64>,
    limited_groups: Option<f64>,
    window: Option<f64>,
    #[serde(default)]
    sinks: bool,
}

#[derive(Debug, Deserialize)]
struct Families {
    family: Vec<Family>,
}

static FAMILIES: LazyLock<Families> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/families.toml")).expect("checked by the tests")
});

impl Run {
    pub fn chip(&self) -> Result<&'static Chip, Error> {
        chips::find(&self.chip)
    }

    /// bf16 where the row names none that is known.
    pub fn precision(&self) -> Precision {
        Precision::parse(&self.dtype).unwrap_or(Precision::Bf16)
    }

    /// Sizes beyond any machine, by column.
    fn impossible(&self) -> Option<String> {
        let limits = [
            ("layers", self.layers, 1e4),
            ("hidden", self.hidden, 1e6),
            ("heads", self.heads, 1e5),
            ("ffn", self.ffn, 1e8),
            ("vocab", self.vocab, 1e8),
            ("experts", self.experts, 1e6),
            ("seq", self.seq, 1e9),
        ];
        limits.into_iter().find_map(|(column, value, limit)| {
            let value = value.filter(|value| *value > limit)?;
            Some(format!("column `{column}` is {value:e}: at most {limit:e} is possible"))
        })
    }

    /// The model's sizes; what had to be assumed is appended to `assumed`, what is missing is the error.
    pub fn shape(&self, assumed: &mut Vec<String>) -> Result<Shape, String> {
        let name = chips::plain(&self.model);
        let family =
            FAMILIES.family.iter().find(|f| f.starts.iter().any(|start| name.starts_with(start)));
        if let Some(reason) = self.impossible() {
            return Err(reason);
        }
        let missing = |column: &str| format!("column `{column}` is empty or no number above 0");
        let (layers, hidden) = match (self.layers, self.hidden) {
            (Some(layers), Some(hidden)) => (layers, hidden),
            (None, _) => return Err(missing("layers")),
            (_, None) => return Err(missing("hidden")),
        };
        let mut assume = |what: String| assumed.push(what);
        let heads = self.heads.unwrap_or_else(|| {
            let heads = (hidden / 128.0).round().max(1.0);
            assume(format!("heads={heads}"));
            heads
        });
        let experts_in_row = self.experts.or(family.and_then(|f| f.experts));
        let experts = experts_in_row.filter(|n| *n > 1.0);
        let gated = self.gated.unwrap_or(experts.is_some());
        let ffn = self.ffn.or(family.and_then(|f| f.dense_ffn)).unwrap_or_else(|| {
            if experts.is_none() {
                assume(format!("ffn={}", 4.0 * hidden));
            }
            4.0 * hidden
        });
        let vocab = self.vocab.unwrap_or_else(|| {
            assume("vocab=51200".into());
            51200.0
        });
        let experts = match experts {
            None => None,
            Some(n_experts) => {
                let topk = self.topk.or(family.and_then(|f| f.topk)).unwrap_or_else(|| {
                    assume("topk=2".into());
                    2.0
                });
                let width = self.moe_ffn.unwrap_or_else(|| {
                    assume(format!("moe_ffn={ffn}"));
                    ffn
                });
                Some(Experts {
                    n_experts,
                    topk: topk.min(n_experts),
                    width,
                    shared_width: family.and_then(|f| f.shared_width).unwrap_or(0.0),
                    dense_layers: family.and_then(|f| f.dense_layers).unwrap_or(0.0),
                    limited_groups: family.and_then(|f| f.limited_groups).unwrap_or(0.0),
                })
            }
        };
        Ok(Shape {
            layers,
            hidden,
            heads,
            kv_heads: self.kv_heads.unwrap_or(heads),
            head_dim: family.and_then(|f| f.head_dim).unwrap_or(hidden / heads),
            ffn,
            gated,
            vocab,
            // Early GPT code ties its tables; the parameter counts of the tables agree with that.
            tied: !gated,
            experts,
            latent: family.and_then(|f| f.mla),
            window: family.and_then(|f| f.window).unwrap_or(0.0),
            sinks: family.is_some_and(|f| f.sinks),
        })
    }

    /// Whether the group counts causal attention once (half) in its FLOPs.
    pub fn counts_causal(&self) -> bool {
        self.group.starts_with("megatron-bridge") || self.group.starts_with("moe-")
    }

    /// Training FLOPs per token in the row's convention, recomputation left out.
    pub fn flops_per_token(&self, shape: &Shape) -> f64 {
        let seq = self.seq.unwrap_or(2048.0);
        shape.training_flops(seq, self.counts_causal())
    }

    /// FLOP/s of the denominator of the row's utilisation.
    pub fn utilisation_peak(&self, chip: &Chip) -> f64 {
        let bf16 = chip.peak(Precision::Bf16);
        let own = chip.peak(self.precision());
        let listed = self.mfu_peak.split('/').filter_map(leading_number).map(|n| n * 1e12);
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        let mut first = None;
        for peak in listed {
            if self.mfu_peak.contains('/') && close(peak, own) {
                return peak;
            }
            first.get_or_insert(peak);
        }
        match first {
            Some(peak) if !self.mfu_peak.contains('/') => peak,
            _ if self.mfu_peak.contains('/') => own,
            _ => bf16,
        }
    }

    /// Seconds per step as the row says them, directly or through its TFLOP/s or utilisation.
    pub fn measured_step_s(&self, shape: &Shape, chip: &Chip) -> Option<f64> {
        if self.step_s.is_some() {
            return self.step_s;
        }
        let tokens = self.global_batch? * self.seq?;
        let model_flops = self.flops_per_token(shape) * tokens / f64::from(self.chips?);
        if let Some(tflops) = self.tflops {
            let hardware = self.tflops_kind.starts_with("hardware");
            let again =
                if hardware && self.recompute.starts_with("full") { 4.0 / 3.0 } else { 1.0 };
            return Some(model_flops * again / (tflops * 1e12));
        }
        Some(model_flops / (self.mfu_pct? / 100.0 * self.utilisation_peak(chip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_the_beginning_of_a_cell() {
        for (text, number) in [
            ("989 (bf16 dense; job ran lower precision)", Some(989.0)),
            ("~3.5 months", Some(3.5)),
            ("1,720,320 GPU-h", Some(1_720_320.0)),
            ("1e-3x", Some(1e-3)),
            ("FSDP", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }

    #[test]
    fn contexts_and_widths_are_binary_and_what_is_counted_is_decimal() {
        let head = "id\tchip\tseq\thidden\tffn\tvocab\tgbs\tchips\tparams_total_B\tparams_active_B";
        let cells = "1\tH100\t128K\t16K\t52 K\t128k\t2K\t1,024\t1.5T\t405";
        let words =
            "2\tH100\t1M tokens\t8192 wide\t~28K\t50257\t4K sequences\t16 GPUs\t405B\t37 Billion";
        let runs = parse(&format!("{head}\n{cells}\n{words}\n"), "t").unwrap();
        let sizes = |run: &Run| {
            let widths = [run.seq, run.hidden, run.ffn];
            let counted = [run.vocab, run.global_batch, run.params_total, run.params_active];
            (widths.map(Option::unwrap), counted.map(Option::unwrap), run.chips.unwrap())
        };
        let first = ([131_072.0, 16_384.0, 53_248.0], [128e3, 2000.0, 1.5e12, 405e9], 1024);
        let second = ([1_048_576.0, 8192.0, 28_672.0], [50_257.0, 4000.0, 405e9, 37e9], 16);
        assert_eq!((sizes(&runs[0]), sizes(&runs[1])), (first, second));
    }

    #[test]
    fn a_table_without_an_id_column_says_so() {
        let error = parse("model\tchip\nGPT\tH100\n", "runs.tsv").unwrap_err().to_string();
        assert!(error.contains("runs.tsv, line 1") && error.contains("`id`"), "{error}");
    }

    #[test]
    fn deepseek_v3_has_the_parameters_on_its_card() {
        let head = "id\tmodel\tchip\tlayers\thidden\theads\tgated\tvocab\texperts\ttopk\tmoe_ffn\n";
        let row = "1\tDeepSeekV3\tGB200\t61\t7168\t128\t1\t129280\t256\t8\t2048\n";
        let run = &parse(&format!("{head}{row}"), "t").unwrap()[0];
        let shape = run.shape(&mut Vec::new()).unwrap();
        assert!((shape.parameters() / 671e9 - 1.0).abs() < 0.005, "{:e}", shape.parameters());
        let active = shape.active_parameters();
        assert!((active / 37e9 - 1.0).abs() < 0.03, "{active:e}");
    }
}
