//! The tasks known by name.

use std::path::Path;

use super::carried;
use super::task::Task;
use crate::Error;

const FILES: [&str; 16] = [
    include_str!("tasks/bits_per_byte.toml"),
    include_str!("tasks/wikitext.toml"),
    include_str!("tasks/lambada_openai.toml"),
    include_str!("tasks/blimp.toml"),
    include_str!("tasks/truthfulqa_mc1.toml"),
    include_str!("tasks/truthfulqa_mc2.toml"),
    include_str!("tasks/gsm8k.toml"),
    include_str!("tasks/arc_easy.toml"),
    include_str!("tasks/arc_challenge.toml"),
    include_str!("tasks/hellaswag.toml"),
    include_str!("tasks/piqa.toml"),
    include_str!("tasks/boolq.toml"),
    include_str!("tasks/winogrande.toml"),
    include_str!("tasks/openbookqa.toml"),
    include_str!("tasks/sciq.toml"),
    include_str!("tasks/mmlu.toml"),
];

/// A task or a set of tasks: what a name stands for.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its own name, or that of the set.
    pub name: String,
    /// The tasks; one, unless it is a set of parts.
    pub tasks: Vec<Task>,
    /// For a set of parts: whether results are weighted by the parts' sizes.
    pub weight_by_size: Option<bool>,
}

impl Entry {
    fn new(task: Task) -> Self {
        let name = task.task.clone();
        let Some(parts) = &task.parts else {
            return Self { name, tasks: vec![task], weight_by_size: None };
        };
        let tasks = parts.names.iter().map(|part| task.of_part(part)).collect();
        Self { name, tasks, weight_by_size: Some(parts.weight_by_size) }
    }

    /// One line for people.
    pub fn about(&self) -> &str {
        self.tasks.first().map_or("", |task| &task.about)
    }

    /// The data set that it reads, as the Hugging Face hub names it; empty for a text of one's own.
    pub fn dataset(&self) -> &str {
        self.tasks.first().map_or("", |task| &task.source.dataset)
    }

    /// The licence of the copy that this program carries, if it carries one.
    pub fn carried(&self) -> Option<&str> {
        let task = self.tasks.first().filter(|task| carried::has(task, task.scored_split()))?;
        task.source.licence.as_deref()
    }
}

/// All tasks known by name.
///
/// # Errors
/// When one of the files inside the program is wrong.
pub fn all() -> Result<Vec<Entry>, Error> {
    let parse = |text: &&str| {
        let broken = |what| Error::configuration(what, "this is a fault of the program; report it");
        Task::parse(text).map(Entry::new).map_err(broken)
    };
    FILES.iter().map(parse).collect()
}

/// What a name stands for: a task, a set, a part of a set (`blimp_wh_island`), or a task's TOML file.
///
/// # Errors
/// [`Error::UnknownTask`] with names that are near, or what is wrong with the file.
pub fn find(name: &str) -> Result<Entry, Error> {
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Task::read(path).map(Entry::new);
    }
    let entries = all()?;
    for entry in &entries {
        if entry.name == name {
            return Ok(entry.clone());
        }
        if let Some(task) = entry.tasks.iter().find(|task| task.task == name) {
            return Ok(Entry {
                name: name.to_owned(),
                tasks: vec![task.clone()],
                weight_by_size: None,
            });
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for entry in &entries {
        names.push(&entry.name);
        names.extend(entry.tasks.iter().map(|task| task.task.as_str()));
    }
    Err(Error::UnknownTask { name: name.to_owned(), near: near(name, &names) })
}

/// The three names that are most alike, of those that are alike at all.
fn near(typed: &str, names: &[&str]) -> Vec<String> {
    let typed = typed.to_lowercase();
    let mut scored: Vec<(usize, &str)> = names
        .iter()
        .map(|&name| {
            let part = name.contains(typed.as_str()) || typed.contains(name);
            let distance = if part { 1 } else { edits(&typed, &name.to_lowercase()) };
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= name.len().max(3) / 2)
        .collect();
    scored.sort_by_key(|&(distance, name)| (distance, name.len()));
    scored.dedup();
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Letters to change, add or take away (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_its_task_and_a_slip_names_what_was_meant() {
        for entry in all().unwrap() {
            assert_eq!(find(&entry.name).unwrap().tasks.len(), entry.tasks.len());
        }
        assert_eq!(find("blimp").unwrap().tasks.len(), 67);
        assert_eq!(find("mmlu_anatomy").unwrap().tasks[0].part.as_deref(), Some("anatomy"));
        let near = |name| match find(name) {
            Err(Error::UnknownTask { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("hellaswga")[0], "hellaswag");
        assert_eq!(near("arc")[0], "arc_easy");
        assert_eq!(near("xxxxxxxxxxxxxxxxxxxxxxxxx"), Vec::<String>::new());
    }
}
