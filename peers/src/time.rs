//! Candidates timed in one run, in rounds that take turns, so that what disturbs one disturbs all.

use std::time::Instant;

/// What is timed.
pub type Candidate<'a> = &'a mut dyn FnMut();

/// The seconds that a call takes: a list for each candidate, with one entry for each round of `calls` calls.
///
/// The order turns with the rounds: nobody always follows the same neighbour.
pub fn rounds(rounds: usize, calls: u32, candidates: &mut [Candidate<'_>]) -> Vec<Vec<f64>> {
    let count = candidates.len();
    let mut seconds = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let which = if round % 2 == 0 { turn } else { count - 1 - turn };
            let start = Instant::now();
            for _ in 0..calls {
                candidates[which]();
            }
            seconds[which].push(start.elapsed().as_secs_f64() / f64::from(calls));
        }
    }
    seconds
}

/// The fastest round: for work of the processor alone, which a disturbance can only make slower.
pub fn fastest(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The round in the middle: for what waits for others, too.
pub fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median of a quotient, round by round: both were measured at the same time, so that drift hits both.
pub fn paired(own: &[f64], peer: &[f64]) -> f64 {
    median(&own.iter().zip(peer).map(|(own, peer)| own / peer).collect::<Vec<_>>())
}
