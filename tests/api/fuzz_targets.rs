//! The fuzz targets without fuzzing: what must hold for any input holds for the seeds, and for every input that once broke it.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, seeds};

fn root() -> &'static Path {
    support::root()
}

/// The file names of a folder, in order; none if it is not there.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a target on each input, and names those that break it.
fn replay(inputs: impl IntoIterator<Item = (&'static str, String, Vec<u8>)>) -> usize {
    let mut broken = Vec::new();
    let mut count = 0;
    for (target, name, input) in inputs {
        let (_, holds) = TARGETS.iter().find(|(known, _)| *known == target).unwrap();
        if catch_unwind(|| holds(&input)).is_err() {
            broken.push(format!("{target}/{name}"));
        }
        count += 1;
    }
    assert!(broken.is_empty(), "broken by {broken:?}");
    count
}

#[test]
fn what_must_hold_holds_for_the_seeds() {
    let count = replay(TARGETS.iter().flat_map(|(target, _)| {
        let seeds = seeds::of(target, root());
        assert!(seeds.len() > 5, "{target} has {} seeds", seeds.len());
        seeds.into_iter().map(move |(name, seed)| (*target, name, seed))
    }));
    println!("{count} seeds of {} targets", TARGETS.len());
}

#[test]
fn what_must_hold_holds_for_every_input_that_once_broke_it() {
    let count = replay(TARGETS.iter().flat_map(|(target, _)| {
        let folder = root().join("fuzz/regressions").join(target);
        let read = move |name: String| {
            let input = fs::read(folder.join(&name)).unwrap();
            (*target, name, input)
        };
        names(&root().join("fuzz/regressions").join(target)).into_iter().map(read)
    }));
    println!("{count} inputs");
}

/// A folder or a file for a target that is not there would be forgotten in silence.
#[test]
fn every_target_has_its_files_and_every_file_its_target() {
    let mut targets: Vec<_> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    targets.sort();
    let stems = |folder: &str| -> Vec<String> {
        let stem = |name: String| PathBuf::from(name).with_extension("").to_string_lossy().into_owned();
        names(&root().join(folder)).into_iter().map(stem).collect()
    };
    assert_eq!(stems("fuzz/fuzz_targets"), targets);
    assert!(stems("fuzz/regressions").iter().all(|name| targets.contains(name)));
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for target in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "fuzz/Cargo.toml: {target}"
        );
    }
}
