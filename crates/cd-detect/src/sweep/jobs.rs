//! Parts cut into batches, and batches put together into parts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::column::Column;
use super::part::PART_LEN;

/// Images that are computed together: a piece of one part, or several whole parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job(Vec<(usize, Range<usize>)>);

impl Job {
    /// Positions of its images.
    pub(super) fn indices(&self) -> Vec<usize> {
        self.0.iter().flat_map(|(_, range)| range.clone()).collect()
    }
}

/// The jobs of the parts `missing` of a set whose parts are `ranges`.
pub(super) fn jobs(ranges: &[Range<usize>], missing: &[usize], batch_size: usize) -> Vec<Job> {
    let whole = |&part: &usize| (part, ranges[part].clone());
    if batch_size > PART_LEN {
        let together = missing.chunks(batch_size / PART_LEN);
        return together
            .map(|parts| Job(parts.iter().map(whole).collect()))
            .collect();
    }
    let pieces = missing.iter().map(whole).flat_map(|(part, range)| {
        let starts = range.clone().step_by(batch_size.max(1));
        starts.map(move |start| {
            let end = range.end.min(start + batch_size.max(1));
            Job(vec![(part, start..end)])
        })
    });
    pieces.collect()
}

/// Pieces of parts that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct Assembly(BTreeMap<usize, BTreeMap<usize, Vec<Column>>>);

impl Assembly {
    /// Adds what was computed of `job`; returns the parts that are whole now.
    pub(super) fn add(
        &mut self,
        job: &Job,
        mut columns: Vec<Column>,
        ranges: &[Range<usize>],
    ) -> Vec<(usize, Vec<Column>)> {
        let mut whole = Vec::new();
        for (part, piece) in &job.0 {
            let values = columns.iter_mut().map(|column| column.take(piece.len()));
            let pieces = self.0.entry(*part).or_default();
            pieces.insert(piece.start, values.collect());
            let images: usize = pieces.values().map(|values| images(values)).sum();
            if images == ranges[*part].len() {
                let pieces = self.0.remove(part).unwrap_or_default();
                whole.push((*part, joined(pieces)));
            }
        }
        whole
    }
}

fn images(columns: &[Column]) -> usize {
    columns.first().and_then(Column::images).unwrap_or(0)
}

fn joined(pieces: BTreeMap<usize, Vec<Column>>) -> Vec<Column> {
    let mut pieces = pieces.into_values();
    let mut whole = pieces.next().unwrap_or_default();
    for piece in pieces {
        for (whole, column) in whole.iter_mut().zip(piece) {
            assert!(whole.append(column), "batches give columns of one width");
        }
    }
    whole
}

/// Parts that wait for those before them.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    next: usize,
    waiting: BTreeMap<usize, Vec<Column>>,
}

impl InOrder {
    /// Adds part `number`; returns the parts that are next now, in order.
    pub(super) fn add(
        &mut self,
        number: usize,
        columns: Vec<Column>,
    ) -> impl Iterator<Item = Vec<Column>> {
        self.waiting.insert(number, columns);
        std::iter::from_fn(|| {
            let columns = self.waiting.remove(&self.next)?;
            self.next += 1;
            Some(columns)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::ranges;
    use super::*;

    fn sizes(count: usize, missing: &[usize], batch_size: usize) -> Vec<usize> {
        let jobs = jobs(&ranges(count), missing, batch_size);
        jobs.iter().map(|job| job.indices().len()).collect()
    }

    #[test]
    fn batches_are_pieces_of_parts_or_several_parts() {
        assert_eq!(sizes(130, &[0, 1, 2], 48), [48, 16, 48, 16, 2]);
        assert_eq!(sizes(130, &[0, 1, 2], 64), [64, 64, 2]);
        assert_eq!(sizes(130, &[0, 1, 2], 200), [130]);
        assert_eq!(sizes(300, &[0, 2, 4], 150), [128, 44]);
        assert_eq!(sizes(3, &[0], 0), [1, 1, 1]);
    }

    #[test]
    fn parts_are_whole_in_whatever_order_batches_come() {
        let ranges = ranges(130);
        for batch_size in [7, 64, 128, 500] {
            let jobs = jobs(&ranges, &[0, 1, 2], batch_size);
            let mut assembly = Assembly::default();
            let mut found = BTreeMap::new();
            for job in jobs.iter().rev() {
                let values = job.indices().into_iter().map(|index| index as f64);
                let column = Column::Numbers(values.collect());
                found.extend(assembly.add(job, vec![column], &ranges));
            }
            for (part, columns) in &found {
                let expected = ranges[*part].clone().map(|index| index as f64);
                assert_eq!(columns[..], [Column::Numbers(expected.collect())]);
            }
            assert_eq!(found.len(), 3);
        }
    }

    #[test]
    fn parts_wait_for_those_before_them() {
        let mut parts = InOrder::default();
        let part = |number| vec![Column::Numbers(vec![number])];
        assert_eq!(parts.add(1, part(1.0)).count(), 0);
        let now: Vec<_> = parts.add(0, part(0.0)).collect();
        assert_eq!(now, [part(0.0), part(1.0)]);
    }
}
