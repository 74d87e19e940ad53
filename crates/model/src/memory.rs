//! What a decoder's weights ask of memory, and how much there is.
//!
//! Where weights do not fit twice, they are read where they lie in a mapped file and no copy of them is made, so a model may
//! be larger than memory: the system drops pages that were not used for long and reads them again when they are. For a
//! mixture of experts that works out: what every token uses stays, and so do the experts that are chosen often. A dense
//! model uses all of its weights for each token, so what does not fit is read from the disk each time.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::DecoderConfig;
use crate::weights::Weights;

/// Sizes of a decoder's weights as they are stored, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Demand {
    pub weight_bytes: u64,
    /// Part of `weight_bytes`: all experts.
    pub expert_bytes: u64,
    /// What one token reads: everything but the experts that it does not choose and the other tokens' embeddings.
    pub bytes_per_token: u64,
}

impl Demand {
    /// Counts the tensors of a decoder, as [`crate::decoder::read`] gives them.
    pub fn of(config: &DecoderConfig, weights: &Weights) -> Self {
        let size = |name: &str| weights.get(name).map_or(0, |tensor| tensor.bytes.len() as u64);
        let expert_bytes = weights.names().filter(|name| is_expert(name)).map(size).sum();
        let weight_bytes = weights.bytes() as u64;
        let chosen = config.experts.as_ref().map_or(0, |experts| {
            (u128::from(expert_bytes) * experts.n_active as u128 / experts.n_experts.max(1) as u128)
                as u64
        });
        let embedding = if config.tied_head { 0 } else { size("token_embd.weight") };
        let row = embedding / config.vocab.max(1) as u64;
        let bytes_per_token = weight_bytes - expert_bytes + chosen - embedding + row;
        Self { weight_bytes, expert_bytes, bytes_per_token }
    }

    /// Whether all weights fit into `available` bytes. They do where nobody knows.
    pub fn fits(&self, available: Option<u64>) -> bool {
        available.is_none_or(|available| self.weight_bytes <= available)
    }
}

/// `blk.3.ffn_up.17.weight`, after experts that were stored together have been taken apart.
fn is_expert(name: &str) -> bool {
    let mut parts = name.split('.').skip(2);
    let part = parts.next().unwrap_or_default();
    matches!(part, "ffn_gate" | "ffn_up" | "ffn_down")
        && parts.next().is_some_and(|number| number.parse::<usize>().is_ok())
}

/// Bytes of memory that this process may still fill: what Linux calls available, or less where a control group allows
/// less. What the page cache holds of files counts as free, for it gives way. `None` where the system does not say.
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

fn available_under(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let machine = field(&read("proc/meminfo"), "MemAvailable:")?.saturating_mul(1024);
    let groups = read("proc/self/cgroup");
    let folders = groups.lines().filter_map(folder_of_group).flat_map(|(controller, path)| {
        // A limit of a group above holds too. In a container only the last of them may be there: the root.
        let above: Vec<PathBuf> = Path::new(&path).ancestors().map(Path::to_owned).collect();
        above.into_iter().map(move |path| Path::new(controller).join(path))
    });
    let left = folders.filter_map(|folder| left_in_group(&root.join("sys/fs/cgroup").join(folder)));
    Some(left.fold(machine, u64::min))
}

/// From a line of `/proc/self/cgroup`: the folder of the memory controller (none in version 2), the group's path in it.
fn folder_of_group(line: &str) -> Option<(&'static str, String)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let controller = match controllers {
        "" => "",
        names if names.split(',').any(|name| name == "memory") => "memory",
        _ => return None,
    };
    Some((controller, path.trim_start_matches('/').to_owned()))
}

/// What a control group leaves to its processes; `None` where the folder is none or sets no limit.
fn left_in_group(folder: &Path) -> Option<u64> {
    let number =
        |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    // Version 1 counts the groups below under names of their own.
    let cached =
        |name: &str| field(&stat, &format!("total_{name}")).or(field(&stat, name)).unwrap_or(0);
    let cached = cached("inactive_file").saturating_add(cached("active_file"));
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

/// The number after `name` in lines of `name number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([' ', '\t']))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system that holds these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    const MEMORY: (&str, &str) =
        ("proc/meminfo", "MemTotal:       24684092 kB\nMemFree: 1 kB\nMemAvailable:   2000 kB\n");

    fn left(files: &[(&str, &str)]) -> Option<u64> {
        available_under(system(&[&[MEMORY], files].concat()).path())
    }

    #[test]
    fn without_control_groups_there_is_what_the_machine_has() {
        assert_eq!(left(&[]), Some(2_048_000));
        assert_eq!(left(&[("proc/self/cgroup", "0::/\nnonsense\n")]), Some(2_048_000));
        assert_eq!(available_under(system(&[("proc/meminfo", "MemFree: 5 kB")]).path()), None);
    }

    #[test]
    fn the_tightest_group_counts_and_its_page_cache_is_free() {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "100\n"),
            ("sys/fs/cgroup/a/memory.max", "1000000\n"),
            ("sys/fs/cgroup/a/memory.current", "900000\n"),
            (
                "sys/fs/cgroup/a/memory.stat",
                "anon 1\nfile 9\ninactive_file 300000\nactive_file 50000\n",
            ),
        ];
        assert_eq!(left(&files), Some(450_000));
    }

    #[test]
    fn groups_of_version_one_and_of_containers_are_found() {
        let in_container = [
            ("proc/self/cgroup", "5:cpu:/x\n4:memory,hugetlb:/docker/1234\n0::/\n"),
            // The container sees its own group as the root.
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "400000"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "inactive_file 1\nactive_file 1\ntotal_inactive_file 100000\ntotal_active_file 0\n",
            ),
        ];
        assert_eq!(left(&in_container), Some(200_000));
        let unlimited = [
            ("proc/self/cgroup", "4:memory:/"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "400000"),
        ];
        assert_eq!(left(&unlimited), Some(2_048_000));
        assert_eq!(left(&[("proc/self/cgroup", "3:cpu:/x")]), Some(2_048_000));
    }

    #[test]
    fn only_numbered_parts_of_the_feed_forward_block_are_experts() {
        assert!(is_expert("blk.3.ffn_up.17.weight"));
        for other in [
            "blk.3.ffn_up.weight",
            "blk.3.ffn_gate_inp.weight",
            "output.weight",
            "blk.3.attn_q.weight",
        ] {
            assert!(!is_expert(other), "{other}");
        }
    }
}
