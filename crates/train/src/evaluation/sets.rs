//! Where a task's documents come from: files of its own, a folder that the owner names, or the program itself.

use std::path::{Path, PathBuf};

use corpus::build::HELD_OUT;
use corpus::read::records;
use corpus::shards::Shards;
use corpus::tokenizer::Tokenizer;
use serde_json::{Value, json};

use super::carried;
use super::task::{OutputType, Task};
use crate::Error;

/// A split of a set.
#[derive(Debug, Clone)]
pub(super) struct Split {
    pub(super) documents: Vec<Value>,
    /// Where it was found, for people.
    pub(super) from: String,
}

/// The documents of a split, cleaned up as the task says.
///
/// # Errors
/// [`Error::NoData`] when it is nowhere, or what is wrong with it.
pub(super) fn split(task: &Task, name: &str, data: Option<&Path>) -> Result<Split, Error> {
    let mut split = read(task, name, data)?;
    if let Some(process) = task.process_docs {
        let documents = split.documents.into_iter().enumerate().map(|(at, document)| {
            process.apply(document).map_err(|what| task.wrong_document(at, what))
        });
        split.documents = documents.collect::<Result<_, _>>()?;
    }
    if split.documents.is_empty() {
        return Err(Error::NoData {
            task: task.task.clone(),
            what: format!("{} is empty", split.from),
        });
    }
    Ok(split)
}

fn read(task: &Task, name: &str, data: Option<&Path>) -> Result<Split, Error> {
    if let Some(file) = task.data_files.get(name) {
        return files(&[task.folder.join(file)]);
    }
    if let Some(data) = data {
        let found = match is_own_text(task) {
            true => Some(own_text(data)?),
            false => find(task, name, data)?,
        };
        if let Some(split) = found {
            return Ok(split);
        }
    }
    let carried = carried::split(task, name).map_err(|what| {
        Error::malformed(Path::new(&task.task), what, "install the program again")
    })?;
    if let Some(carried) = carried {
        let from = match carried.part_of {
            Some(part) => format!("carried by Polymath: {part}"),
            None => "carried by Polymath".to_owned(),
        };
        return Ok(Split { documents: carried.documents, from });
    }
    Err(missing(task, name, data))
}

fn missing(task: &Task, name: &str, data: Option<&Path>) -> Error {
    let dataset = &task.source.dataset;
    let what = match (data, is_own_text(task)) {
        (_, true) => "it reads text of your own; hint: --data FILE, a folder of texts, or a \
                      directory made by `polymath corpus build`"
            .to_owned(),
        (None, _) if dataset.is_empty() => format!(
            "its file names no data for the split `{name}`; hint: add [data_files] with {name} = \"FILE.jsonl\""
        ),
        (None, _) => format!(
            "the split `{name}` is not on this machine; hint: fetch the data set {dataset} of the Hugging Face hub \
             by any way you like and name its folder with --data DIR"
        ),
        (Some(data), _) => format!(
            "there is no file for the split `{name}` in {}; hint: a file like {name}.jsonl or \
             {name}-00000-of-00001.parquet, there or in a folder {}",
            data.display(),
            folders(task).join(" or "),
        ),
    };
    Error::NoData { task: task.task.clone(), what }
}

/// Folders under the owner's in which a set may lie, by their usual names.
fn folders(task: &Task) -> Vec<String> {
    let part = task.part.as_deref().unwrap_or("");
    let named = task.source.folders.iter().map(|folder| folder.replace("{part}", part));
    let tail = task.source.dataset.rsplit('/').next().filter(|tail| !tail.is_empty());
    let mut folders = vec![task.task.clone()];
    folders.extend(named);
    folders.extend(tail.map(str::to_owned));
    folders.dedup();
    folders
}

fn find(task: &Task, name: &str, data: &Path) -> Result<Option<Split>, Error> {
    if data.is_file() {
        // One file is the split that is scored.
        return if name == task.scored_split() {
            files(&[data.to_owned()]).map(Some)
        } else {
            Ok(None)
        };
    }
    if !data.is_dir() {
        let missing = std::io::ErrorKind::NotFound.into();
        return Err(Error::io(data, "read", missing, "check the path given with --data"));
    }
    let below = folders(task).into_iter().map(|folder| data.join(folder));
    for folder in below.chain([data.to_owned()]) {
        for folder in [folder.join("data"), folder] {
            let paths = matching(&folder, task, name)?;
            if !paths.is_empty() {
                return files(&paths).map(Some);
            }
        }
    }
    Ok(None)
}

/// The files of a split in a folder, in the order of their names.
fn matching(folder: &Path, task: &Task, name: &str) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    for path in listing(folder)? {
        let file = path.file_name().map(|file| file.to_string_lossy().to_lowercase());
        let file = file.unwrap_or_default();
        let stem = file.trim_end_matches(".gz").trim_end_matches(".zst");
        let endings = [".jsonl", ".json", ".ndjson", ".parquet"];
        let Some((rank, stem)) = endings
            .iter()
            .enumerate()
            .find_map(|(rank, end)| Some((rank, stem.strip_suffix(end)?)))
        else {
            continue;
        };
        let of_part = task.part.as_ref().is_some_and(|part| stem == part.to_lowercase());
        if path.is_file() && (names_split(stem, name) || (of_part && name == task.scored_split())) {
            found.push((rank, path));
        }
    }
    // The same split in two formats is one split.
    let best = found.iter().map(|(rank, _)| *rank).min();
    found.retain(|(rank, _)| Some(*rank) == best);
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Whether a file's name says that it holds a split: `test`, `test-00000-of-00001`, `ARC-Easy-Test`.
fn names_split(stem: &str, split: &str) -> bool {
    let names: &[&str] = match split {
        "validation" => &["validation", "valid", "val", "dev"],
        other => &[other],
    };
    let words: Vec<&str> = stem.split(['-', '_', '.']).collect();
    names.iter().any(|name| words.first() == Some(name) || words.last() == Some(name))
}

fn listing(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error| Error::io(folder, "read", error, "check who owns it");
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn files(paths: &[PathBuf]) -> Result<Split, Error> {
    let mut documents = Vec::new();
    for path in paths {
        documents.extend(records(path)?);
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Ok(Split { documents, from: names.join(", ") })
}

/// Whether a task scores whatever text it is given.
fn is_own_text(task: &Task) -> bool {
    let rolling = task.output_type == OutputType::LoglikelihoodRolling;
    rolling && task.source.dataset.is_empty() && task.data_files.is_empty()
}

/// Text of the owner's as documents `{text}`: records with a field `text`, whole files, or held-out shards.
fn own_text(data: &Path) -> Result<Split, Error> {
    let from = data.display().to_string();
    if data.is_dir() {
        let shards = [data.join(HELD_OUT), data.to_owned()];
        if let Some(directory) = shards.iter().find(|path| path.join("shards.json").is_file()) {
            let documents = shard_texts(directory)?;
            return Ok(Split { documents, from: directory.display().to_string() });
        }
        let mut documents = Vec::new();
        let mut open = vec![data.to_owned()];
        while let Some(folder) = open.pop() {
            let (folders, files): (Vec<_>, Vec<_>) =
                listing(&folder)?.into_iter().partition(|path| path.is_dir());
            for file in files {
                documents.extend(file_texts(&file)?);
            }
            open.extend(folders.into_iter().rev());
        }
        return Ok(Split { documents, from });
    }
    Ok(Split { documents: file_texts(data)?, from })
}

fn file_texts(path: &Path) -> Result<Vec<Value>, Error> {
    let name = path.to_string_lossy().to_lowercase();
    let records_inside = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"];
    if records_inside.iter().any(|ending| name.ends_with(ending)) {
        let documents = records(path)?;
        if let Some(at) = documents.iter().position(|document| !document["text"].is_string()) {
            let what = format!("record {} has no field `text`", at + 1);
            return Err(Error::malformed(path, what, "each record needs a text to score"));
        }
        return Ok(documents);
    }
    let bytes = std::fs::read(path)
        .map_err(|error| Error::io(path, "read", error, "check the path given with --data"))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::malformed(path, error.to_string(), "it must be UTF-8 text"))?;
    // An empty file has nothing to predict.
    Ok(if text.is_empty() { Vec::new() } else { vec![json!({ "text": text })] })
}

/// The documents of shards as text, so that a model with any tokenizer can be scored on them.
fn shard_texts(directory: &Path) -> Result<Vec<Value>, Error> {
    let shards = Shards::open(directory)?;
    let parent = directory.parent().unwrap_or(directory).join("tokenizer.json");
    let path = [shards.tokenizer_path(), parent].into_iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        Error::malformed(directory, "there is no tokenizer.json", "build the corpus again")
    })?;
    let hint = "build the corpus again";
    let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, "read", error, hint))?;
    let tokenizer = Tokenizer::from_json(&bytes)?;
    let mut documents = Vec::new();
    for idx in 0..shards.n_sequences() {
        let sequence = shards.sequence(idx)?;
        let ends = sequence.starts.iter().skip(1).map(|&start| start as usize);
        let mut start = 0;
        for end in ends.chain([sequence.tokens.len()]) {
            let text = tokenizer.decode(&sequence.tokens[start..end]);
            if !text.is_empty() {
                documents.push(json!({ "text": text }));
            }
            start = end;
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_by_their_names_which_split_they_hold() {
        let yes =
            [("test-00000-of-00001", "test"), ("arc-easy-test", "test"), ("val", "validation")];
        assert!(yes.iter().all(|(stem, split)| names_split(stem, split)));
        let no = [("contest", "test"), ("train", "test"), ("test", "train"), ("testing", "test")];
        assert!(!no.iter().any(|(stem, split)| names_split(stem, split)));
    }
}
