//! The page that tells how a login is taken without Rust: its commands are run as they stand there.

use std::path::Path;
use std::process::Command;

use crate::start::{Program, file};

#[test]
fn the_commands_of_the_page_work() {
    let page = std::fs::read_to_string(support::root().join("docs/emulator-program.md")).unwrap();
    // Blocks of `sh` are what a person does around it; those of `bash` are run.
    let blocks = page.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script: String = blocks.collect();
    assert!(script.matches("expect ").count() > 20);
    let (_, config) = script.split_once("<<'END'\n").unwrap();
    let (config, _) = config.split_once("END\n").unwrap();
    let program = Program::start(config, &["--strict"]);

    let script = file("page.bash", format!("set -euo pipefail\n{script}"));
    let folder = script.parent().unwrap();
    let of_program = Path::new(env!("CARGO_BIN_EXE_idaas-emulator")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .arg(&script)
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", of_program.display()))
        .env("TENANT", format!("http://{}", program.tenant))
        .env("CONTROL", format!("http://{}", program.control))
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(errors.contains("wrong.json:1:47: users[0].phone: unknown field `phone`"), "{errors}");
    assert!(said.contains("tenant.json: nothing is wrong with it"), "{said}");
    // Only what is wrong on purpose is objected to.
    let lines: Vec<_> = program.log.try_iter().filter(|line| !line.contains("\"objections\":[]")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
}

#[test]
fn the_page_has_each_operation() {
    let page = std::fs::read_to_string(support::root().join("docs/emulator-program.md")).unwrap();
    let openapi: serde_json::Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let operation = format!("`{} {path}", method.to_uppercase());
            assert!(page.contains(&operation), "{operation} is not on the page");
        }
    }
}
