//! Groups of near copies.
//!
//! Two documents that agree in one bucket are near copies, and near copies of near copies belong together. Of each
//! group the document that stands first is kept.

/// Which documents to drop. `buckets[b]` holds, for bucket `b`, pairs of (hash of that part of the sketch,
/// document); documents are numbered from 0.
pub fn keep_one_each(
    n_documents: usize,
    buckets: impl IntoIterator<Item = Vec<(u64, u32)>>,
) -> Vec<bool> {
    let mut parents: Vec<u32> = (0..n_documents as u32).collect();
    for mut bucket in buckets {
        bucket.sort_unstable();
        for pair in bucket.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let (a, b) = (root(&mut parents, pair[0].1), root(&mut parents, pair[1].1));
            // The smaller number is the root, and so the one to keep.
            parents[a.max(b) as usize] = a.min(b);
        }
    }
    (0..n_documents as u32).map(|document| root(&mut parents, document) != document).collect()
}

fn root(parents: &mut [u32], mut at: u32) -> u32 {
    while parents[at as usize] != at {
        let grand = parents[parents[at as usize] as usize];
        parents[at as usize] = grand;
        at = grand;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_likeness_are_one_group_and_its_first_stays() {
        let buckets = [vec![(7, 4), (7, 2), (1, 0), (2, 1)], vec![(9, 2), (9, 1), (3, 3)]];
        assert_eq!(keep_one_each(5, buckets), [false, false, true, false, true]);
    }
}
