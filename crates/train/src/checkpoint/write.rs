//! One checkpoint to disk: under a temporary name, hashed while it is written, valid only by the last rename.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::{
    ARRAYS, Array, Error, FORMAT, FileEntry, MANIFEST, MANIFEST_HASH, Manifest, STATE, Snapshot,
    hex, safetensors,
};

/// Bytes of an array that are turned at a time.
const CHUNK: usize = 1 << 16;

/// A file that can be told to reach the disk.
pub(super) trait Sink: Write {
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// How files come into being; tests hand in disks that fill up.
pub(super) type Create = fn(&Path) -> io::Result<Box<dyn Sink>>;

pub(super) fn create_file(path: &Path) -> io::Result<Box<dyn Sink>> {
    Ok(Box::new(File::create_new(path)?))
}

/// What stands on the disk now.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) sha256: String,
}

/// Writes the checkpoint `name` into `folder`. After an error nothing of it is left.
pub(super) fn checkpoint(
    folder: &Path,
    name: String,
    step: u64,
    snapshot: &Snapshot,
    create: Create,
) -> Result<Written, Error> {
    let started = Instant::now();
    let head =
        safetensors::head(&snapshot.arrays).map_err(|what| Error::Snapshot { step, what })?;
    let partial = folder.join(format!("{name}.{}", super::store::PARTIAL));
    let result = fs::create_dir(&partial)
        .and_then(|()| files(&partial, step, snapshot, &head, create))
        .and_then(|done| {
            fs::rename(&partial, folder.join(&name))?;
            sync_folder(folder)?;
            Ok(done)
        });
    match result {
        Ok((bytes, sha256)) => {
            Ok(Written { name, bytes, seconds: started.elapsed().as_secs_f64(), sha256 })
        }
        Err(cause) => {
            // If this fails too, the next save sweeps it away.
            let _ = fs::remove_dir_all(&partial);
            Err(match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Error::DiskFull { step, path: folder.into() }
                }
                _ => Error::io("write checkpoint", &partial, cause),
            })
        }
    }
}

/// All files of a checkpoint; returns their bytes and the hash of the manifest.
fn files(
    folder: &Path,
    step: u64,
    snapshot: &Snapshot,
    head: &[u8],
    create: Create,
) -> io::Result<(u64, String)> {
    let state = serde_json::to_vec_pretty(&snapshot.state)?;
    let entries = vec![
        file(folder, ARRAYS, create, |out| write_arrays(out, head, &snapshot.arrays))?,
        file(folder, STATE, create, |out| out.write_all(&state))?,
    ];
    let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let manifest = serde_json::to_vec_pretty(&Manifest { format: FORMAT, step, files: entries })?;
    let manifest = file(folder, MANIFEST, create, |out| out.write_all(&manifest))?;
    let line = format!("{}  {MANIFEST}\n", manifest.sha256);
    bytes += manifest.bytes + line.len() as u64;
    file(folder, MANIFEST_HASH, create, |out| out.write_all(line.as_bytes()))?;
    sync_folder(folder)?;
    Ok((bytes, manifest.sha256))
}

/// One file, on the disk when this returns.
fn file(
    folder: &Path,
    name: &str,
    create: Create,
    fill: impl FnOnce(&mut Hashing) -> io::Result<()>,
) -> io::Result<FileEntry> {
    let sink = BufWriter::with_capacity(CHUNK, create(&folder.join(name))?);
    let mut out = Hashing { out: sink, hash: Sha256::new(), bytes: 0 };
    fill(&mut out)?;
    let Hashing { out, hash, bytes } = out;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync()?;
    Ok(FileEntry { name: name.into(), bytes, sha256: hex(&hash.finalize()) })
}

/// Hashes what passes through.
struct Hashing {
    out: BufWriter<Box<dyn Sink>>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write_arrays(out: &mut impl Write, head: &[u8], arrays: &[Array]) -> io::Result<()> {
    out.write_all(head)?;
    let mut buffer = Vec::with_capacity(CHUNK);
    for values in arrays.iter().flat_map(|array| array.values.chunks(CHUNK / 4)) {
        buffer.clear();
        buffer.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&buffer)?;
    }
    Ok(())
}

/// Waits until names made or changed in this folder stand on the disk. Only Unix can open a folder for this.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Takes a checkpoint or a leftover away: renamed first, so that a crash in between leaves nothing that looks whole.
pub(super) fn remove(folder: &Path, name: &str) -> io::Result<()> {
    let mut doomed: PathBuf = folder.join(name);
    if !name.ends_with(super::store::REMOVING) {
        let renamed = folder.join(format!("{name}.{}", super::store::REMOVING));
        fs::rename(&doomed, &renamed)?;
        doomed = renamed;
    }
    fs::remove_dir_all(doomed)
}
