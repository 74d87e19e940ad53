use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::write::Sink;
use super::{Array, Error, Keep, Report, Saved, Snapshot, Store};

/// Arrays of odd shapes whose values name the step; among them bits that arithmetic would change.
fn snapshot(step: u64) -> Snapshot {
    let values = |n: usize| (0..n).map(|i| step as f32 + i as f32 / 7.0).collect::<Vec<_>>();
    let odd = vec![-0.0, f32::MIN_POSITIVE / 8.0, f32::INFINITY, f32::from_bits(0x7fc0_1234)];
    Snapshot {
        arrays: vec![
            Array { name: "embed".into(), shape: vec![5, 3], values: values(15) },
            Array { name: "empty".into(), shape: vec![0, 7], values: vec![] },
            Array { name: "scalar".into(), shape: vec![], values: vec![step as f32] },
            Array { name: "odd".into(), shape: vec![4], values: odd },
            Array { name: "long".into(), shape: vec![40_001], values: values(40_001) },
        ],
        state: json!({ "step": step, "random": u64::MAX - step }),
    }
}

fn bits(snapshot: &Snapshot) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits = |array: &Array| array.values.iter().map(|value| value.to_bits()).collect();
    snapshot.arrays.iter().map(|a| (a.name.clone(), a.shape.clone(), bits(a))).collect()
}

fn store(folder: &Path) -> Store {
    Store::open(folder, Keep { last: 10, every: 0 }).expect("a store")
}

fn save(store: &mut Store, step: u64) -> Saved {
    assert!(store.begin_save(step, snapshot(step)).previous.is_none());
    store.finish().expect("a save").expect("a checkpoint")
}

/// The step of the newest whole checkpoint, its contents checked, and what was reported on the way.
fn latest(folder: &Path) -> (Option<u64>, Vec<Report>) {
    let mut reports = Vec::new();
    let loaded = store(folder).latest(&mut reports).expect("a folder");
    if let Some(loaded) = &loaded {
        assert_eq!(bits(&loaded.snapshot), bits(&snapshot(loaded.step)));
        assert_eq!(loaded.snapshot.state, snapshot(loaded.step).state);
    }
    (loaded.map(|loaded| loaded.step), reports)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into()).collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    assert!(store.latest(&mut Vec::new()).expect("a folder").is_none());
    let saved = save(&mut store, 7);
    assert_eq!(bits(&saved.snapshot), bits(&snapshot(7)), "the snapshot is handed back");
    let on_disk: u64 = names(&folder.path().join("step-00000007"))
        .iter()
        .map(|name| fs::metadata(folder.path().join("step-00000007").join(name)).unwrap().len())
        .sum();
    assert_eq!(saved.bytes, on_disk);
    assert_eq!(latest(folder.path()), (Some(7), vec![]));
}

#[test]
fn the_array_file_is_read_by_the_library_of_its_format() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&mut store(folder.path()), 3);
    let bytes = fs::read(folder.path().join("step-00000003/arrays.safetensors")).expect("a file");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let expected = snapshot(3);
    assert_eq!(file.len(), expected.arrays.len());
    for array in &expected.arrays {
        let tensor = file.tensor(&array.name).expect("a tensor");
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32);
        assert_eq!(tensor.shape(), array.shape);
        let values: Vec<u8> = array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(tensor.data(), values);
    }
}

#[test]
fn a_checkpoint_with_any_flipped_bit_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    save(&mut store, 1);
    save(&mut store, 2);
    let newest = folder.path().join("step-00000002");
    for name in names(&newest) {
        let path = newest.join(&name);
        let sound = fs::read(&path).expect("a file");
        let places = [0, 9, sound.len() / 3, sound.len() / 2, sound.len() - 1];
        for (place, bit) in places.into_iter().zip([0, 3, 5, 7, 1]) {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << bit;
            fs::write(&path, bytes).expect("written");
            let (step, reports) = latest(folder.path());
            assert_eq!(step, Some(1), "{name}, byte {place}");
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].name, "step-00000002");
            let guilty = if name == "manifest.sha256" { "manifest.json" } else { &name };
            assert!(reports[0].what.contains(guilty), "{name}: {}", reports[0]);
        }
        fs::write(&path, sound).expect("written");
    }
    assert_eq!(latest(folder.path()), (Some(2), vec![]));
}

#[test]
fn a_truncated_or_missing_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    save(&mut store, 1);
    save(&mut store, 2);
    let newest = folder.path().join("step-00000002");
    for name in names(&newest) {
        let path = newest.join(&name);
        let sound = fs::read(&path).expect("a file");
        for kept in [0, 1, sound.len() / 2, sound.len() - 1] {
            fs::write(&path, &sound[..kept]).expect("written");
            let (step, reports) = latest(folder.path());
            assert_eq!(step, Some(1), "{name} cut to {kept} bytes");
            assert_eq!(reports.len(), 1);
        }
        fs::remove_file(&path).expect("removed");
        let (step, reports) = latest(folder.path());
        assert_eq!(step, Some(1));
        assert_eq!(reports[0].what, format!("{name} is missing"));
        fs::write(&path, sound).expect("written");
    }
}

#[test]
fn a_checkpoint_under_another_steps_name_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&mut store(folder.path()), 4);
    fs::rename(folder.path().join("step-00000004"), folder.path().join("step-00000009")).unwrap();
    let (step, reports) = latest(folder.path());
    assert_eq!(step, None);
    assert!(reports[0].what.contains("step 4"), "{}", reports[0]);
}

#[test]
fn what_an_interrupted_save_left_is_reported_and_swept_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    save(&mut store, 1);
    for leftover in ["step-00000002.partial", "step-00000000.removing"] {
        fs::create_dir(folder.path().join(leftover)).expect("a folder");
        fs::write(folder.path().join(leftover).join("arrays.safetensors"), [1, 2, 3]).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "mine").expect("written");
    let (step, reports) = latest(folder.path());
    assert_eq!(step, Some(1));
    assert_eq!(reports.len(), 2);
    save(&mut store, 2);
    assert_eq!(names(folder.path()), ["notes.txt", "step-00000001", "step-00000002"]);
}

#[test]
fn a_second_save_waits_for_the_first_and_hands_over_its_outcome() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    assert!(store.begin_save(1, snapshot(1)).previous.is_none());
    let begun = store.begin_save(2, snapshot(2));
    assert_eq!(begun.previous.expect("an outcome").expect("a checkpoint").step, 1);
    assert_eq!(store.finish().expect("an outcome").expect("a checkpoint").step, 2);
    assert!(store.finish().is_none() && store.poll().is_none());
    assert_eq!(store.steps().expect("steps"), [1, 2]);
}

#[test]
fn a_save_that_began_ends_even_if_nobody_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    store.begin_save(5, snapshot(5));
    drop(store);
    assert_eq!(latest(folder.path()), (Some(5), vec![]));
}

#[test]
fn the_newest_stay_and_every_nth() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path(), Keep { last: 2, every: 30 }).expect("a store");
    let removed: Vec<Vec<String>> = (1..=7).map(|i| save(&mut store, 10 * i).removed).collect();
    assert_eq!(store.steps().expect("steps"), [30, 60, 70]);
    assert_eq!(removed[2], ["step-00000010"]);
}

#[test]
fn damaged_checkpoints_are_kept_and_do_not_push_out_whole_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&mut store(folder.path()), 1);
    save(&mut store(folder.path()), 2);
    fs::write(folder.path().join("step-00000002/state.json"), "{}").expect("written");
    let mut store = Store::open(folder.path(), Keep { last: 2, every: 0 }).expect("a store");
    assert_eq!(store.latest(&mut Vec::new()).unwrap().expect("a checkpoint").step, 1);
    // The run does step 2 again: the damaged one stays beside the new one, and step 1 is still among the last two.
    save(&mut store, 2);
    assert_eq!(names(folder.path()), ["step-00000001", "step-00000002", "step-00000002-2"]);
    assert_eq!(latest(folder.path()), (Some(2), vec![]));
    save(&mut store, 3);
    assert_eq!(names(folder.path()), ["step-00000002", "step-00000002-2", "step-00000003"]);
}

#[test]
fn an_older_checkpoint_can_be_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    (1..=3).for_each(|step| drop(save(&mut store, 10 * step)));
    let found = store.latest_until(25, &mut Vec::new()).expect("a folder");
    assert_eq!(found.expect("a checkpoint").step, 20);
}

#[test]
fn arrays_that_contradict_themselves_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = store(folder.path());
    let array =
        |name: &str, shape: Vec<usize>| Array { name: name.into(), shape, values: vec![0.0; 6] };
    for arrays in [
        vec![array("a", vec![2, 4])],
        vec![array("a", vec![usize::MAX, 2])],
        vec![array("a", vec![6]), array("a", vec![6])],
    ] {
        store.begin_save(1, Snapshot { arrays, state: json!(null) });
        let outcome = store.finish().expect("an outcome");
        assert!(matches!(outcome, Err(Error::Snapshot { step: 1, .. })), "{outcome:?}");
    }
    assert!(names(folder.path()).is_empty());
}

/// Bytes that the disk of the test below still takes; one test uses it.
static ROOM: AtomicU64 = AtomicU64::new(0);

struct SmallDisk(fs::File);

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = ROOM.load(Ordering::Relaxed).min(bytes.len() as u64);
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        ROOM.fetch_sub(room, Ordering::Relaxed);
        self.0.write(&bytes[..room as usize])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for SmallDisk {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn small_disk(path: &Path) -> io::Result<Box<dyn Sink>> {
    Ok(Box::new(SmallDisk(fs::File::create_new(path)?)))
}

#[test]
fn a_full_disk_leaves_earlier_checkpoints_and_the_next_save_succeeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = save(&mut store(folder.path()), 1).bytes;
    let mut store = Store::with_disk(folder.path(), Keep::default(), small_disk);
    // The disk fills in the arrays, between the files, and one byte before the end.
    for room in [0, 1, 100, bytes / 2, bytes - 700, bytes - 300, bytes - 90, bytes - 1] {
        ROOM.store(room, Ordering::Relaxed);
        store.begin_save(2, snapshot(2));
        let outcome = store.finish().expect("an outcome");
        assert!(matches!(outcome, Err(Error::DiskFull { step: 2, .. })), "{room}: {outcome:?}");
        assert_eq!(names(folder.path()), ["step-00000001"], "{room} bytes of room");
    }
    ROOM.store(bytes, Ordering::Relaxed);
    store.begin_save(2, snapshot(2));
    assert!(store.finish().expect("an outcome").is_ok());
    assert_eq!(latest(folder.path()), (Some(2), vec![]));
}

/// Every file of a checkpoint hashed by another program.
#[test]
fn sha256sum_agrees_with_the_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = save(&mut store(folder.path()), 1);
    let checkpoint: PathBuf = folder.path().join("step-00000001");
    let check = std::process::Command::new("sha256sum")
        .args(["--check", "--status", "manifest.sha256"])
        .current_dir(&checkpoint)
        .status();
    let Ok(status) = check else {
        eprintln!("sha256sum is not installed; nothing to compare with");
        return;
    };
    assert!(status.success());
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(checkpoint.join("manifest.json")).unwrap()).unwrap();
    for entry in manifest["files"].as_array().expect("files") {
        let name = entry["name"].as_str().expect("a name");
        let output = std::process::Command::new("sha256sum")
            .arg(checkpoint.join(name))
            .output()
            .expect("sha256sum runs");
        let printed = String::from_utf8(output.stdout).expect("text");
        assert!(printed.starts_with(entry["sha256"].as_str().expect("a hash")), "{name}");
    }
    assert!(
        fs::read_to_string(checkpoint.join("manifest.sha256")).unwrap().starts_with(&saved.sha256)
    );
}
