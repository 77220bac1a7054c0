//! Writes the seeds of each target into `corpus/`, from the snapshots and examples of the tests.

use std::fs;
use std::io::Result;
use std::path::Path;

use idaas_login_fuzz::{TARGETS, seeds};

fn main() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    for (target, _) in TARGETS {
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let seeds = seeds::of(target, root);
        for (name, seed) in &seeds {
            fs::write(folder.join(name), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
