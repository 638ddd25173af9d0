//! Seeded choices of images that respect the classes.

use cd_models::ImageSet;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// At most `limit` images of `set`, as [`balanced`] chooses them.
pub(super) fn balanced_subset(set: &ImageSet, limit: usize, seed: u64) -> ImageSet {
    set.subset(&balanced(set.labels(), set.class_count(), limit, seed))
}

/// At most `limit` positions of `labels`, the classes as equal as they can be, ascending.
///
/// A class that runs out leaves its share to the others.
pub(super) fn balanced(labels: &[u32], classes: usize, limit: usize, seed: u64) -> Vec<usize> {
    if limit >= labels.len() {
        return (0..labels.len()).collect();
    }
    let queues = shuffled_by_class(labels, classes, seed);
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    let mut chosen: Vec<usize> = (0..longest)
        .flat_map(|turn| {
            queues
                .iter()
                .filter_map(move |queue| queue.get(turn).copied())
        })
        .take(limit)
        .collect();
    chosen.sort_unstable();
    chosen
}

/// Divides `set` into (rest, part), where part takes `fraction` of every class, rounded.
///
/// Every class keeps at least one image in the rest. Both keep the old order.
pub(super) fn stratified_split(set: &ImageSet, fraction: f64, seed: u64) -> (ImageSet, ImageSet) {
    let (rest, part) = stratified(set.labels(), set.class_count(), fraction, seed);
    (set.subset(&rest), set.subset(&part))
}

/// As [`stratified_split`], for the positions of `labels`, ascending.
pub(super) fn stratified(
    labels: &[u32],
    classes: usize,
    fraction: f64,
    seed: u64,
) -> (Vec<usize>, Vec<usize>) {
    let (mut rest, mut part) = (Vec::new(), Vec::new());
    for queue in shuffled_by_class(labels, classes, seed) {
        let wanted = (queue.len() as f64 * fraction).round() as usize;
        let (taken, kept) = queue.split_at(wanted.min(queue.len().saturating_sub(1)));
        part.extend_from_slice(taken);
        rest.extend_from_slice(kept);
    }
    rest.sort_unstable();
    part.sort_unstable();
    (rest, part)
}

fn shuffled_by_class(labels: &[u32], classes: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut queues = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        queues[label as usize].push(index);
    }
    for (class, queue) in queues.iter_mut().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(class as u64);
        queue.shuffle(&mut rng);
    }
    queues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::striped_set;

    #[test]
    fn a_subset_is_balanced_seeded_and_ordered() {
        let set = striped_set(30, 2, 3);
        let subset = balanced_subset(&set, 12, 5);
        assert_eq!(subset.class_counts(), [4, 4, 4]);
        assert!(subset.names().is_sorted());
        assert_eq!(subset, balanced_subset(&set, 12, 5));
        assert_ne!(subset, balanced_subset(&set, 12, 6));
    }

    #[test]
    fn short_classes_leave_their_share_to_the_others() {
        let set = striped_set(30, 2, 3).subset(&[0, 1, 2, 3, 4, 6, 9, 12, 15]);
        assert_eq!(set.class_counts(), [6, 2, 1]);
        assert_eq!(balanced_subset(&set, 7, 0).class_counts(), [4, 2, 1]);
        assert_eq!(balanced_subset(&set, 100, 0), set);
    }

    #[test]
    fn a_split_loses_nothing_and_empties_no_class() {
        let set = striped_set(31, 2, 3);
        let (rest, part) = stratified_split(&set, 0.2, 1);
        assert_eq!(part.class_counts(), [2, 2, 2]);
        let mut names: Vec<&String> = rest.names().iter().chain(part.names()).collect();
        names.sort();
        assert_eq!(names, set.names().iter().collect::<Vec<_>>());
        let (rest, _) = stratified_split(&set, 0.999, 1);
        assert_eq!(rest.class_counts(), [1, 1, 1]);
    }
}
