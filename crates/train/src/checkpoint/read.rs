//! One checkpoint from disk: checked byte by byte before anything in it is believed.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{
    ARRAYS, Array, FORMAT, Loaded, MANIFEST, MANIFEST_HASH, Manifest, STATE, Snapshot, hex,
    safetensors,
};

/// A manifest is a page of text; anything longer is none.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The checkpoint in `folder`, or what is wrong with it.
pub(super) fn checkpoint(folder: &Path, step: u64) -> Result<Loaded, String> {
    let (manifest, sha256) = manifest(folder)?;
    if manifest.step != step {
        return Err(format!("its manifest is that of step {}", manifest.step));
    }
    for name in [ARRAYS, STATE] {
        verify(folder, &manifest, name)?;
    }
    let state = fs::read(folder.join(STATE)).map_err(|cause| missing(STATE, &cause))?;
    let state =
        serde_json::from_slice(&state).map_err(|cause| format!("{STATE} is no JSON ({cause})"))?;
    Ok(Loaded { step, snapshot: Snapshot { arrays: arrays(folder)?, state }, sha256 })
}

fn manifest(folder: &Path) -> Result<(Manifest, String), String> {
    let text = |name: &str| {
        let file = File::open(folder.join(name)).map_err(|cause| missing(name, &cause))?;
        let mut bytes = Vec::new();
        file.take(MAX_MANIFEST_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|cause| missing(name, &cause))?;
        Ok::<_, String>(bytes)
    };
    let (bytes, line) = (text(MANIFEST)?, text(MANIFEST_HASH)?);
    let sha256 = hex(&Sha256::digest(&bytes));
    if line != format!("{sha256}  {MANIFEST}\n").as_bytes() {
        return Err(format!("{MANIFEST} does not hash to what {MANIFEST_HASH} says"));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|cause| format!("{MANIFEST} cannot be read ({cause})"))?;
    if manifest.format != FORMAT {
        return Err(format!("it has format {}, this version reads {FORMAT}", manifest.format));
    }
    Ok((manifest, sha256))
}

fn verify(folder: &Path, manifest: &Manifest, name: &str) -> Result<(), String> {
    let entry = manifest.files.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| format!("{MANIFEST} does not mention {name}"))?;
    let path = folder.join(name);
    let bytes = fs::metadata(&path).map_err(|cause| missing(name, &cause))?.len();
    if bytes != entry.bytes {
        return Err(format!("{name} has {bytes} bytes instead of {}", entry.bytes));
    }
    let mut file = File::open(&path).map_err(|cause| missing(name, &cause))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hash.update(&buffer[..n]),
            Err(cause) => return Err(missing(name, &cause)),
        }
    }
    if hex(&hash.finalize()) != entry.sha256 {
        return Err(format!("{name} has changed since it was written (its SHA-256 differs)"));
    }
    Ok(())
}

fn arrays(folder: &Path) -> Result<Vec<Array>, String> {
    let wrong = |what: String| format!("{ARRAYS}: {what}");
    let read = |cause: std::io::Error| missing(ARRAYS, &cause);
    let file = File::open(folder.join(ARRAYS)).map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(read)?;
    let length = u64::from_le_bytes(length);
    let data_bytes = bytes.checked_sub(8).and_then(|rest| rest.checked_sub(length));
    let data_bytes = data_bytes.ok_or_else(|| wrong("its head is longer than the file".into()))?;
    let mut head = vec![0; length as usize];
    file.read_exact(&mut head).map_err(read)?;
    let described = safetensors::parse(&head, data_bytes).map_err(wrong)?;
    let mut arrays = Vec::with_capacity(described.len());
    for (name, shape) in described {
        let mut values = vec![0.0; shape.iter().product()];
        read_values(&mut file, &mut values).map_err(read)?;
        arrays.push(Array { name, shape, values });
    }
    Ok(arrays)
}

fn read_values(file: &mut impl Read, values: &mut [f32]) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    for values in values.chunks_mut(buffer.len() / 4) {
        let bytes = &mut buffer[..4 * values.len()];
        file.read_exact(bytes)?;
        let (quads, _) = bytes.as_chunks::<4>();
        for (value, quad) in values.iter_mut().zip(quads) {
            *value = f32::from_le_bytes(*quad);
        }
    }
    Ok(())
}

fn missing(name: &str, cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::NotFound => format!("{name} is missing"),
        _ => format!("{name} cannot be read ({cause})"),
    }
}
