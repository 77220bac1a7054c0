//! What the crate and its tests are made of: licences, and where each dependency comes from. `cargo deny`, in the long runs,
//! looks at the same list and at more.

use std::collections::BTreeSet;
use std::path::Path;

use support::root;

use crate::files::read;

/// The licences that `deny.toml` allows.
fn allowed() -> Vec<String> {
    let text = read("deny.toml");
    let (_, list) = text.split_once("\nallow = [").expect("deny.toml has a list of licences");
    let (list, _) = list.split_once(']').expect("the list has an end");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an expression such as `MIT OR (Apache-2.0 AND ISC)` can be kept by what is allowed.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    // The old way to write it.
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let one = |licence: &str| {
        let licence = licence.split(" WITH ").next().unwrap_or_default().trim();
        allowed.iter().any(|allowed| allowed == licence)
    };
    // `AND` binds closer; where brackets change that, this asks for more than is needed in some cases, never for less.
    expression.split(" OR ").any(|all| all.split(" AND ").all(one))
}

/// What may not be there.
pub fn wrong() -> Vec<String> {
    // What features leave out is in the lock file all the same, but not in the tree.
    let output = support::cargo()
        .args([
            "tree",
            "--workspace",
            "--all-features",
            "--target=all",
            "--locked",
            "--prefix=none",
            "--no-dedupe",
        ])
        .args(["--format", "{p}\t{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packages = String::from_utf8(output.stdout).unwrap();
    let packages: BTreeSet<_> = packages.lines().filter(|line| !line.is_empty()).collect();
    assert!(packages.len() > 50, "{packages:?}");
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (package, licence) in packages.iter().filter_map(|line| line.split_once('\t')) {
        // Behind name and version it says where a package is from, unless that is the registry.
        if let Some((_, source)) = package.trim_end_matches(" (proc-macro)").split_once(" (") {
            if !Path::new(source.trim_end_matches(')')).starts_with(root().canonicalize().unwrap()) {
                wrong.push(format!("{package} does not come from the registry"));
            }
            continue;
        }
        if !is_allowed(licence, &allowed) {
            wrong.push(format!("{package} is under {licence}"));
        }
    }
    wrong
}
