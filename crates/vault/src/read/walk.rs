//! Which files of a source are read, and by which named rule the others are left out.

use std::fs;
use std::path::{Path, PathBuf};

/// What a walk found at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file to read: its path as `Place::path` has it, its size, and its change time in seconds since 1970.
    File { path: String, bytes: u64, modified_s: i64 },
    /// Left out by the rule of this name; for a folder, everything under it.
    Excluded { path: String, rule: &'static str },
    /// Could not be listed or looked at.
    Failed { path: String, reason: String },
}

impl Entry {
    /// The path, whatever happened there.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::File { path, .. } | Self::Excluded { path, .. } | Self::Failed { path, .. } => {
                path
            }
        }
    }
}

/// Which rules hold. All do by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `hidden-folder`, `hidden-file`: names that begin with a dot, except Maildir folders (`.Sent` with `cur/`).
    pub hidden: bool,
    /// `tool-folder`: `node_modules`, `target`, `__pycache__` and their like, where programs keep their own files.
    pub tool_folders: bool,
    /// `maildir-tmp`: messages still being delivered.
    pub maildir_tmp: bool,
    /// `index-file`: mail programs' own indexes, caches and locks.
    pub index_files: bool,
    /// Folders deeper than this are left out by `too-deep`.
    pub max_depth: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            hidden: true,
            tool_folders: true,
            maildir_tmp: true,
            index_files: true,
            max_depth: 64,
        }
    }
}

/// Lists everything under `root` in path order. A root that is a file is listed by its name.
///
/// Symbolic links are not followed: `link-outside` when they lead out of the root or nowhere, `link-inside`
/// otherwise (what they point at is listed where it stands).
#[must_use]
pub fn walk(root: &Path, rules: &Rules) -> Vec<Entry> {
    let mut found = Vec::new();
    if let Ok(metadata) = fs::metadata(root)
        && metadata.is_file()
    {
        let path = root.file_name().map(escape).unwrap_or_default();
        let modified_s = modified_s(&metadata);
        return vec![Entry::File { path, bytes: metadata.len(), modified_s }];
    }
    let base = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    descend(&base, root, "", 0, rules, &mut found);
    found.sort_by(|a, b| a.path().cmp(b.path()));
    found
}

/// The rule, if any, that leaves out `relative` under `root`: for `vault why`.
#[must_use]
pub fn excluded_by(root: &Path, relative: &str, rules: &Rules) -> Option<&'static str> {
    let mut so_far = String::new();
    let names: Vec<&str> = relative.split('/').collect();
    for (i, name) in names.iter().enumerate() {
        let parent = to_path(root, &so_far);
        if !so_far.is_empty() {
            so_far.push('/');
        }
        so_far.push_str(name);
        let path = to_path(root, &so_far);
        let folder = i + 1 < names.len() || path.is_dir();
        if let Some(rule) = rule_for(name, folder, &path, &parent, rules) {
            return Some(rule);
        }
        if i >= rules.max_depth {
            return Some("too-deep");
        }
    }
    None
}

fn descend(
    base: &Path,
    folder: &Path,
    prefix: &str,
    depth: usize,
    rules: &Rules,
    found: &mut Vec<Entry>,
) {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) => {
            let path = if prefix.is_empty() { ".".to_owned() } else { prefix.to_owned() };
            return found.push(Entry::Failed { path, reason: error.to_string() });
        }
    };
    for entry in listing {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.push(Entry::Failed { path: prefix.to_owned(), reason: error.to_string() });
                continue;
            }
        };
        let name = escape(&entry.file_name());
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let full = entry.path();
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) => {
                found.push(Entry::Failed { path, reason: error.to_string() });
                continue;
            }
        };
        if metadata.is_symlink() {
            let inside = full.canonicalize().is_ok_and(|target| target.starts_with(base));
            let rule = if inside { "link-inside" } else { "link-outside" };
            found.push(Entry::Excluded { path, rule });
        } else if let Some(rule) = rule_for(&name, metadata.is_dir(), &full, folder, rules) {
            found.push(Entry::Excluded { path, rule });
        } else if metadata.is_dir() {
            if depth + 1 >= rules.max_depth {
                found.push(Entry::Excluded { path, rule: "too-deep" });
            } else {
                descend(base, &full, &path, depth + 1, rules, found);
            }
        } else if metadata.is_file() {
            found.push(Entry::File {
                path,
                bytes: metadata.len(),
                modified_s: modified_s(&metadata),
            });
        } else {
            found.push(Entry::Excluded { path, rule: "special-file" });
        }
    }
}

fn modified_s(metadata: &fs::Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

fn rule_for(
    name: &str,
    folder: bool,
    path: &Path,
    parent: &Path,
    rules: &Rules,
) -> Option<&'static str> {
    if folder {
        let hidden = name.starts_with('.') && !is_maildir(path);
        if rules.hidden && hidden {
            return Some("hidden-folder");
        }
        const TOOLS: [&str; 7] = [
            "node_modules",
            "__pycache__",
            "target",
            "venv",
            "site-packages",
            "$RECYCLE.BIN",
            "lost+found",
        ];
        // A folder named `target` is a build's only beside a `Cargo.toml`; people name folders so too.
        let tool =
            TOOLS.contains(&name) && (name != "target" || parent.join("Cargo.toml").exists());
        if rules.tool_folders && tool {
            return Some("tool-folder");
        }
        if rules.maildir_tmp && name == "tmp" && is_maildir(parent) {
            return Some("maildir-tmp");
        }
        return None;
    }
    const INDEXES: [&str; 10] = [
        ".msf",
        ".lock",
        ".swp",
        ".tmp",
        ".part",
        ".crdownload",
        "~",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    ];
    const PREFIXES: [&str; 4] =
        ["dovecot.index", "dovecot-uidlist", "dovecot.list", "maildirfolder"];
    let index =
        INDEXES.iter().any(|i| name.ends_with(i)) || PREFIXES.iter().any(|p| name.starts_with(p));
    if rules.index_files && index {
        return Some("index-file");
    }
    (rules.hidden && name.starts_with('.')).then_some("hidden-file")
}

/// A folder with `cur` and `new` in it.
fn is_maildir(folder: &Path) -> bool {
    folder.join("cur").is_dir() && folder.join("new").is_dir()
}

/// A file name as text: bytes that are no UTF-8 become `%XX`, and so does a `%` that could be read as one.
#[cfg(unix)]
fn escape(name: &std::ffi::OsStr) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut out = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        let valid = chunk.valid();
        for (i, c) in valid.char_indices() {
            let hex = valid
                .as_bytes()
                .get(i + 1..i + 3)
                .is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit));
            out.push_str(if c == '%' && hex { "%25" } else { &valid[i..i + c.len_utf8()] });
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(not(unix))]
fn escape(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The path on disk that a relative, escaped path stands for; a root that is a file stands for itself.
#[must_use]
pub fn to_path(root: &Path, relative: &str) -> PathBuf {
    let mut path = root.to_path_buf();
    if root.is_file() {
        return path;
    }
    for name in relative.split('/').filter(|n| !n.is_empty() && *n != "." && *n != "..") {
        path.push(unescape(name));
    }
    path
}

#[cfg(unix)]
fn unescape(name: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes
            .get(i + 1..i + 3)
            .filter(|_| bytes[i] == b'%')
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok())
            .filter(|b| *b == b'%' || *b >= 0x80);
        out.push(byte.unwrap_or(bytes[i]));
        i += if byte.is_some() { 3 } else { 1 };
    }
    std::ffi::OsString::from_vec(out)
}

#[cfg(not(unix))]
fn unescape(name: &str) -> std::ffi::OsString {
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_escaping_whatever_their_bytes() {
        use std::os::unix::ffi::OsStrExt as _;
        for name in
            [&b"plain"[..], b"M\xfcnchen", b"100%", b"a%41b", b"%25", b"%\xff", "größe".as_bytes()]
        {
            let os = std::ffi::OsStr::from_bytes(name);
            assert_eq!(unescape(&escape(os)).as_bytes(), name, "{}", escape(os));
        }
    }
}
