//! From answers to numbers: what each document counts, their mean, and its standard error.
//!
//! Means and standard errors are those of lm-evaluation-harness: the sample's standard deviation over √n for means; for
//! perplexities of continuations the spread of 100,000 resampled ones, drawn from the same random numbers.

use infer::Score;
use regex::Regex;

use super::prompt::Question;
use super::random::Random;
use super::task::{Filter, Metric, MetricName, Results, Task};

/// What a model answered to a question.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// One score per pair.
    Scores(Vec<Score>),
    /// The log-likelihood of a whole text.
    Loglikelihood(f64),
    /// A text.
    Text(String),
}

/// What a document counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Count {
    One(f64),
    /// A sum and what it is divided by when all documents are added up.
    Weighted(f64, f64),
}

/// What a document counts in one metric, after one filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    pub(super) metric: MetricName,
    pub(super) filter: Option<String>,
    pub(super) count: Count,
    /// What a filter left of the answer.
    pub(super) filtered: Option<String>,
}

/// What one document counts in each metric of a task.
pub(super) fn count(task: &Task, question: &Question, answer: &Answer) -> Vec<Counted> {
    let mut all = Vec::new();
    for metric in &task.metric_list {
        let mut push = |filter: Option<&Filter>, count, filtered| {
            let filter = filter.map(|filter| filter.name.clone());
            all.push(Counted { metric: metric.metric, filter, count, filtered });
        };
        match (question, answer) {
            (Question::Choices { choices, gold, is_true, .. }, Answer::Scores(scores)) => {
                let logprobs: Vec<f64> = scores.iter().map(|score| score.logprob).collect();
                let value = match task.results {
                    Results::TrueMass => true_mass(&logprobs, is_true),
                    Results::Best => chosen(metric.metric, &logprobs, choices, gold),
                };
                push(None, Count::One(value), None);
            }
            (Question::Continuation { .. }, Answer::Scores(scores)) => {
                let Some(score) = scores.first() else { continue };
                let value = match metric.metric {
                    MetricName::Perplexity => score.logprob,
                    _ => f64::from(u8::from(score.greedy)),
                };
                push(None, Count::One(value), None);
            }
            (Question::Text { words, bytes, .. }, Answer::Loglikelihood(logprob)) => {
                let n = if metric.metric == MetricName::WordPerplexity { words } else { bytes };
                push(None, Count::Weighted(*logprob, *n as f64), None);
            }
            (Question::Generate { targets, .. }, Answer::Text(text)) => {
                let filters = task.filter_list.iter().map(Some);
                let none = if task.filter_list.is_empty() { Some(None) } else { None };
                for filter in filters.chain(none) {
                    let filtered =
                        filter.map_or_else(|| text.clone(), |filter| extract(filter, text));
                    let right = targets.iter().any(|target| is_match(metric, &filtered, target));
                    push(filter, Count::One(f64::from(u8::from(right))), Some(filtered));
                }
            }
            _ => unreachable!("a question of one kind has an answer of that kind"),
        }
    }
    all
}

/// The first of the largest.
fn best(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    best.0
}

fn chosen(metric: MetricName, logprobs: &[f64], choices: &[String], gold: &[usize]) -> f64 {
    let length = |choice: &String| match metric {
        MetricName::AccNorm => choice.chars().count() as f64,
        MetricName::AccBytes => choice.len() as f64,
        _ => 1.0,
    };
    let values = logprobs.iter().zip(choices).map(|(logprob, choice)| logprob / length(choice));
    f64::from(u8::from(gold.contains(&best(values))))
}

fn true_mass(logprobs: &[f64], is_true: &[bool]) -> f64 {
    let probabilities: Vec<f64> = logprobs.iter().map(|logprob| logprob.exp()).collect();
    let total: f64 = probabilities.iter().sum();
    let normed = probabilities.iter().map(|probability| probability / total);
    normed.zip(is_true).filter(|(_, is_true)| **is_true).map(|(probability, _)| probability).sum()
}

/// What a filter takes out of an answer. Of a match with groups it is the first group that is not empty.
fn extract(filter: &Filter, text: &str) -> String {
    let fallback = || filter.fallback.clone();
    let Ok(regex) = Regex::new(&filter.regex_pattern) else { return fallback() };
    let matches: Vec<regex::Captures<'_>> = regex.captures_iter(text).collect();
    let place = match filter.group_select {
        n if n < 0 => matches.len().checked_sub(n.unsigned_abs() as usize),
        n => Some(n as usize),
    };
    let Some(captures) = place.and_then(|place| matches.get(place)) else { return fallback() };
    let group = |n: usize| captures.get(n).map_or("", |found| found.as_str());
    let found = match captures.len() {
        1 => group(0),
        2 => group(1),
        n => match (1..n).map(group).find(|text| !text.is_empty()) {
            Some(found) => found,
            None => return fallback(),
        },
    };
    found.trim().to_owned()
}

fn is_match(metric: &Metric, answer: &str, target: &str) -> bool {
    let cleaned = |text: &str| {
        let mut text = text.to_owned();
        for rule in &metric.regexes_to_ignore {
            if let Ok(regex) = Regex::new(rule) {
                text = regex.replace_all(&text, "").into_owned();
            }
        }
        if metric.ignore_case {
            text = text.to_lowercase();
        }
        text.retain(|letter| {
            !(metric.ignore_punctuation && letter.is_ascii_punctuation()
                || metric.ignore_numbers && letter.is_ascii_digit())
        });
        text
    };
    cleaned(answer) == cleaned(target)
}

/// The value of a metric over all documents, and its standard error where it has one.
pub(super) fn aggregate(
    metric: MetricName,
    counts: &[Count],
    n_threads: usize,
) -> (f64, Option<f64>) {
    let ones: Vec<f64> = counts
        .iter()
        .map(|count| match *count {
            Count::One(value) | Count::Weighted(value, _) => value,
        })
        .collect();
    let per = |counts: &[Count]| {
        let weight = |count: &Count| match *count {
            Count::One(_) => 1.0,
            Count::Weighted(_, weight) => weight,
        };
        ones.iter().sum::<f64>() / counts.iter().map(weight).sum::<f64>()
    };
    match metric {
        MetricName::Perplexity => (perplexity(&ones), bootstrap(&ones, n_threads)),
        MetricName::WordPerplexity | MetricName::BytePerplexity => ((-per(counts)).exp(), None),
        MetricName::BitsPerByte => (-per(counts) / std::f64::consts::LN_2, None),
        _ => (mean(&ones), mean_stderr(&ones)),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn perplexity(logprobs: &[f64]) -> f64 {
    (-mean(logprobs)).exp()
}

fn sample_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

fn mean_stderr(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| sample_deviation(values) / (values.len() as f64).sqrt())
}

/// The spread of the perplexities of 100,000 samples with replacement, in chunks of 1,000 with a seed each.
fn bootstrap(logprobs: &[f64], n_threads: usize) -> Option<f64> {
    const CHUNKS: usize = 100;
    const CHUNK: usize = 1000;
    if logprobs.len() < 2 {
        return None;
    }
    let n = logprobs.len();
    let mut resampled = vec![0.0; CHUNKS * CHUNK];
    let per_thread = CHUNKS.div_ceil(n_threads.max(1));
    std::thread::scope(|scope| {
        for (thread, part) in resampled.chunks_mut(per_thread * CHUNK).enumerate() {
            scope.spawn(move || {
                for (chunk, values) in part.chunks_mut(CHUNK).enumerate() {
                    let mut random = Random::new((thread * per_thread + chunk) as u64);
                    for value in values {
                        let sum: f64 = (0..n).map(|_| logprobs[random.choice(n)]).sum();
                        *value = (-sum / n as f64).exp();
                    }
                }
            });
        }
    });
    Some(sample_deviation(&resampled))
}

/// The mean of a set's parts, each counted by its size or all the same, with the standard error of that mean.
///
/// By size: the pooled variance of the parts. All the same: the parts' variances add up.
pub(super) fn combine(
    parts: &[(f64, Option<f64>, usize)],
    weight_by_size: bool,
) -> (f64, Option<f64>, usize) {
    let n: usize = parts.iter().map(|part| part.2).sum();
    let stderrs: Option<Vec<f64>> = parts.iter().map(|part| part.1).collect();
    if !weight_by_size {
        let k = parts.len() as f64;
        let value = parts.iter().map(|part| part.0).sum::<f64>() / k;
        let squares = stderrs.map(|stderrs| stderrs.iter().map(|s| s * s).sum::<f64>());
        return (value, squares.map(|squares| squares.sqrt() / k), n);
    }
    let value = parts.iter().map(|part| part.0 * part.2 as f64).sum::<f64>() / n as f64;
    let pooled = stderrs.map(|stderrs| {
        let terms = stderrs.iter().zip(parts).map(|(stderr, part)| {
            let size = part.2 as f64;
            (size - 1.0) * stderr * stderr * size
        });
        terms.sum::<f64>() / (n - parts.len()) as f64
    });
    (value, pooled.map(|variance| (variance / n as f64).sqrt()), n)
}

/// Metrics that are means over documents, whose parts can be combined.
pub(super) fn is_mean(metric: MetricName) -> bool {
    use MetricName::{Acc, AccBytes, AccNorm, ExactMatch};
    matches!(metric, Acc | AccNorm | AccBytes | ExactMatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pattern: &str, group_select: i64) -> Filter {
        let (name, fallback) = ("a filter".to_owned(), "[invalid]".to_owned());
        Filter { name, regex_pattern: pattern.to_owned(), group_select, fallback }
    }

    #[test]
    fn filters_take_the_stated_match_and_its_first_group_that_says_something() {
        let strict = filter(r"#### (\-?[0-9\.\,]+)", 0);
        assert_eq!(extract(&strict, "so 3\n#### 1,080 eggs, #### 7"), "1,080");
        assert_eq!(extract(&strict, "the answer is 7"), "[invalid]");
        let flexible = filter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", -1);
        assert_eq!(extract(&flexible, "2 and 12, at last $1,080. Or 7"), "7");
        assert_eq!(extract(&flexible, "at last $1,080."), "$1,080.");
    }

    #[test]
    fn what_is_to_be_ignored_does_not_make_an_answer_wrong() {
        let rules = [",", r"\$", r"(?s).*#### ", r"\.$"].map(str::to_owned).to_vec();
        let metric = Metric {
            metric: MetricName::ExactMatch,
            ignore_case: true,
            ignore_punctuation: false,
            ignore_numbers: false,
            regexes_to_ignore: rules,
        };
        assert!(is_match(&metric, "$1,080.", "3 * 360\n= 1080\n#### 1080"));
        assert!(!is_match(&metric, "1081", "#### 1080"));
    }

    #[test]
    fn lengths_are_counted_in_letters_or_bytes_as_the_metric_says() {
        // Per letter the first is likelier, per byte the second, as a sum the third.
        let choices = ["äöü", "abcd", "x"].map(str::to_owned);
        let logprobs = [-6.0, -9.6, -2.2];
        let right = |metric, place| chosen(metric, &logprobs, &choices, &[place]);
        assert_eq!(right(MetricName::Acc, 2), 1.0);
        assert_eq!(right(MetricName::AccNorm, 0), 1.0);
        assert_eq!(right(MetricName::AccBytes, 0), 1.0);
        let longer = [-6.0, -3.0, -2.2];
        assert_eq!(chosen(MetricName::AccNorm, &longer, &choices, &[1]), 1.0);
        assert_eq!(
            chosen(MetricName::Acc, &[-1.0, -1.0], &choices[..2], &[1]),
            0.0,
            "the first of equals"
        );
    }

    /// Worked by hand: of 0, 1, 1, 1 the mean is 3/4, the sample variance 1/4, so the standard error √(1/16).
    #[test]
    fn a_mean_has_the_standard_error_of_its_sample() {
        let counts = [0.0, 1.0, 1.0, 1.0].map(Count::One);
        assert_eq!(aggregate(MetricName::Acc, &counts, 1), (0.75, Some(0.25)));
        assert_eq!(aggregate(MetricName::Acc, &counts[..1], 1), (0.0, None));
        let texts = [Count::Weighted(-2.0, 3.0), Count::Weighted(-4.0, 1.0)];
        let (bits, stderr) = aggregate(MetricName::BitsPerByte, &texts, 1);
        assert!((bits - 1.5 / std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(stderr, None);
    }

    #[test]
    fn parts_count_by_their_size_or_all_the_same() {
        let parts = [(1.0, Some(0.1), 10), (0.0, Some(0.3), 30)];
        let (value, stderr, n) = combine(&parts, false);
        assert_eq!((value, n), (0.5, 40));
        assert!((stderr.unwrap() - 0.1_f64.sqrt() / 2.0).abs() < 1e-12);
        let (value, stderr, _) = combine(&parts, true);
        assert_eq!(value, 0.25);
        let pooled: f64 = (9.0 * 0.01 * 10.0 + 29.0 * 0.09 * 30.0) / 38.0;
        assert!((stderr.unwrap() - (pooled / 40.0).sqrt()).abs() < 1e-12);
        assert_eq!(combine(&[(1.0, None, 1)], true).1, None);
    }
}
