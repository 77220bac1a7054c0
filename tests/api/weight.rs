//! How many crates a user compiles, counted by cargo itself.

use std::collections::BTreeSet;

fn crates(features: &[&str]) -> BTreeSet<String> {
    let output = support::cargo()
        .args([
            "tree",
            "--package",
            "idaas-login",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--offline",
        ])
        .args(features)
        .current_dir(support::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // A crate is its name and version; what follows is where it is from, or that it was listed above.
    text.lines()
        .filter_map(|line| line.split(" (").next())
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_user_compiles_few_crates() {
    let default = crates(&[]);
    let bare = crates(&["--no-default-features"]);
    println!("default features: {} crates, without: {}", default.len(), bare.len());
    assert!(default.len() <= 50, "{default:#?}");
    assert!(bare.len() <= 20, "{bare:#?}");
    assert!(bare.len() > 5 && bare.is_subset(&default), "{bare:#?}");
}
