//! Images shared out among workers, results in the order of the images.

use cd_conv::Occupied;
use cd_models::device::is_cpu;
use rayon::prelude::*;

use crate::error::DetectError;
use crate::evidence::Evidence;

/// What `work` makes of the images `indices`, some of them at a time.
pub(super) fn shared_out<T: Send>(
    evidence: &Evidence<'_>,
    indices: &[usize],
    work: impl Fn(&[usize]) -> Result<Vec<T>, DetectError> + Sync,
) -> Result<Vec<T>, DetectError> {
    let compute = &evidence.compute;
    let parts = indices.chunks(compute.at_once(evidence.images));
    let work = |part: &[usize]| {
        let _occupied = is_cpu(compute.device).then(Occupied::begin);
        work(part)
    };
    let done: Vec<Vec<T>> = if compute.workers > 1 {
        let parts: Vec<&[usize]> = parts.collect();
        parts.into_par_iter().map(work).collect::<Result<_, _>>()?
    } else {
        parts.map(work).collect::<Result<_, _>>()?
    };
    Ok(done.into_iter().flatten().collect())
}
