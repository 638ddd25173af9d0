//! HDBSCAN: clusters that persist over the widest range of densities.
//!
//! Campello, Moulavi, Sander: *Density-Based Clustering Based on Hierarchical Density Estimates*, 2013; McInnes, Healy:
//! *Accelerated Hierarchical Density Based Clustering*, 2017. Euclidean distances; the root is no cluster.

use cd_core::Matrix;
use rayon::prelude::*;

use crate::neighbours::Neighbours;

/// Rows from which on several threads measure distances.
const PARALLEL_FROM: usize = 4096;

/// The cluster of each row, from 0; `None` for rows in none. `smallest` is the size of the smallest cluster.
pub(super) fn clusters(rows: &Matrix, smallest: usize) -> Vec<Option<usize>> {
    let count = rows.rows();
    if count < 2 {
        return vec![None; count];
    }
    let mut edges = spanning_tree(rows, smallest);
    edges.sort_by(|a, b| a.length.total_cmp(&b.length));
    let merges = merges(&edges, count);
    let tree = Condensed::of(&merges, count, smallest);
    tree.labels(count)
}

/// An edge of the tree that joins all rows.
#[derive(Debug, Clone, Copy)]
struct Edge {
    ends: [usize; 2],
    length: f64,
}

/// The shortest tree over distances that are at least the distance of either end to its last neighbour, after Prim.
fn spanning_tree(rows: &Matrix, smallest: usize) -> Vec<Edge> {
    let count = rows.rows();
    let near = Neighbours::within(rows, smallest);
    let core: Vec<f64> = (0..count).map(|row| near.radius(row)).collect();
    let mut best = vec![(f64::INFINITY, 0); count];
    let mut joined = vec![false; count];
    let mut edges = Vec::with_capacity(count - 1);
    let mut last = 0;
    for _ in 1..count {
        joined[last] = true;
        let update = |(row, best): (usize, &mut (f64, usize))| {
            if joined[row] {
                return;
            }
            let pairs = rows.row(row).iter().zip(rows.row(last));
            let squares = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            let length = squares.sum::<f64>().sqrt().max(core[row]).max(core[last]);
            if length < best.0 {
                *best = (length, last);
            }
        };
        if count < PARALLEL_FROM {
            best.iter_mut().enumerate().for_each(update);
        } else {
            best.par_iter_mut()
                .enumerate()
                .with_min_len(1024)
                .for_each(update);
        }
        let outside = (0..count).filter(|&row| !joined[row]);
        let next = outside.min_by(|&a, &b| best[a].0.total_cmp(&best[b].0));
        let Some(next) = next else { break };
        edges.push(Edge {
            ends: [best[next].1, next],
            length: best[next].0,
        });
        last = next;
    }
    edges
}

/// Two groups that become one. Rows are groups of their own; the group of merge `m` has the number `rows + m`.
#[derive(Debug, Clone, Copy)]
struct Merge {
    groups: [usize; 2],
    length: f64,
    size: usize,
}

fn merges(edges: &[Edge], count: usize) -> Vec<Merge> {
    let mut group: Vec<usize> = (0..2 * count).collect();
    let mut merges: Vec<Merge> = Vec::with_capacity(edges.len());
    for edge in edges {
        let groups = edge.ends.map(|end| top(&mut group, end));
        let size = groups.iter().map(|&g| size(&merges, count, g)).sum();
        let whole = count + merges.len();
        for part in groups {
            group[part] = whole;
        }
        merges.push(Merge {
            groups,
            length: edge.length,
            size,
        });
    }
    merges
}

fn size(merges: &[Merge], count: usize, group: usize) -> usize {
    group
        .checked_sub(count)
        .map_or(1, |merge| merges[merge].size)
}

/// The largest group so far that `at` is in.
fn top(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

/// The tree of clusters of at least the smallest size; the first is the root.
#[derive(Debug, Default)]
struct Condensed {
    clusters: Vec<Cluster>,
    /// The cluster that each row falls out of.
    left: Vec<usize>,
}

#[derive(Debug, Default, Clone)]
struct Cluster {
    parent: Option<usize>,
    /// Density at which it appears.
    birth: f64,
    /// Sum over its rows of the densities that they outlast it by.
    stability: f64,
}

impl Condensed {
    fn of(merges: &[Merge], count: usize, smallest: usize) -> Self {
        let mut tree = Self {
            clusters: vec![Cluster::default()],
            left: vec![0; count],
        };
        // Densities stay finite where rows lie on one point.
        let longest = merges.last().map_or(0.0, |merge| merge.length);
        let least = if longest > 0.0 { 1e-9 * longest } else { 1.0 };
        let mut open = vec![(count + merges.len() - 1, 0)];
        while let Some((group, cluster)) = open.pop() {
            let Some(merge) = group.checked_sub(count).map(|at| merges[at]) else {
                tree.left[group] = cluster;
                continue;
            };
            let density = merge.length.max(least).recip();
            let sizes = merge.groups.map(|g| size(merges, count, g));
            let lasting = density - tree.clusters[cluster].birth;
            let splits = sizes.iter().all(|&size| size >= smallest);
            for (part, size) in merge.groups.into_iter().zip(sizes) {
                if splits {
                    tree.clusters[cluster].stability += lasting * size as f64;
                    tree.clusters.push(Cluster {
                        parent: Some(cluster),
                        birth: density,
                        stability: 0.0,
                    });
                    open.push((part, tree.clusters.len() - 1));
                } else if size >= smallest {
                    open.push((part, cluster));
                } else {
                    tree.clusters[cluster].stability += lasting * size as f64;
                    tree.leave(part, cluster, merges, count);
                }
            }
        }
        tree
    }

    /// All rows of `group` fall out of `cluster`.
    fn leave(&mut self, group: usize, cluster: usize, merges: &[Merge], count: usize) {
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            match group.checked_sub(count) {
                None => self.left[group] = cluster,
                Some(merge) => open.extend(merges[merge].groups),
            }
        }
    }

    /// The clusters that are stabler than what they fall into.
    fn chosen(&self) -> Vec<bool> {
        let mut chosen = vec![true; self.clusters.len()];
        let mut below = vec![0.0; self.clusters.len()];
        // Children stand behind their parents.
        for at in (1..self.clusters.len()).rev() {
            let own = self.clusters[at].stability;
            if below[at] > own {
                chosen[at] = false;
            }
            if let Some(parent) = self.clusters[at].parent {
                below[parent] += own.max(below[at]);
            }
        }
        chosen[0] = false;
        for at in 1..self.clusters.len() {
            let mut above = self.clusters[at].parent;
            while let Some(parent) = above {
                if chosen[parent] {
                    chosen[at] = false;
                }
                above = self.clusters[parent].parent;
            }
        }
        chosen
    }

    fn labels(&self, count: usize) -> Vec<Option<usize>> {
        let chosen = self.chosen();
        let number = |cluster: usize| chosen[..cluster].iter().filter(|c| **c).count();
        let label = |row: usize| {
            let mut cluster = Some(self.left[row]);
            while let Some(at) = cluster {
                if chosen[at] {
                    return Some(number(at));
                }
                cluster = self.clusters[at].parent;
            }
            None
        };
        (0..count).map(label).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clouds_and_a_stray() {
        let places = (0..21).map(|row| match row {
            20 => 50.0,
            _ => (row % 2) as f32 * 10.0 + row as f32 / 40.0,
        });
        let found = clusters(&Matrix::new(1, places.collect()), 5);
        assert_eq!(found[20], None);
        assert!(found[0].is_some() && found[1].is_some() && found[0] != found[1]);
        for row in 0..20 {
            assert_eq!(found[row], found[row % 2], "row {row}");
        }
    }

    #[test]
    fn equal_rows_and_few_rows_are_no_clusters() {
        let equal = clusters(&Matrix::new(2, vec![1.0; 60]), 5);
        assert_eq!(equal.len(), 30);
        assert_eq!(clusters(&Matrix::new(1, vec![1.0]), 5), [None]);
        assert_eq!(clusters(&Matrix::new(1, vec![1.0, 2.0]), 5), [None; 2]);
        assert_eq!(clusters(&Matrix::default(), 5), []);
    }
}
