//! How the program is called, and what it says if that cannot be.

use std::net::TcpListener;

use crate::start::{command, file};

/// What the program says on its error output, if it does not start.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = command().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "it started nothing: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn help_and_version_are_told() {
    let told = |argument: &str| {
        let output = command().arg(argument).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let help = told("--help");
    for option in [
        "--config",
        "--check",
        "--listen",
        "--control",
        "--tls-cert",
        "--tls-key",
        "--strict",
        "--log",
        "--beyond-loopback-not-for-users",
        "--version",
    ] {
        assert!(help.contains(option), "{option}");
    }
    assert!(help.contains("never for users"));
    assert!(help.lines().all(|line| line.len() <= 125), "{help}");
    assert_eq!(told("--version"), concat!("idaas-emulator ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    for (arguments, reason) in [
        (&["--lissten", "127.0.0.1:0"][..], "--lissten is no option"),
        (&["tenant.json"], "tenant.json is no option"),
        (&["--listen"], "--listen needs a value"),
        (&["--strict=yes"], "--strict takes no value"),
        (&["--listen", "8080"], "--listen: 8080 is no address and port, such as 127.0.0.1:8080"),
        (&["--log", "xml"], "--log: xml is neither text nor json"),
        (&["--tls-cert", "a.pem"], "--tls-cert and --tls-key belong together"),
        (&["--check"], "--check needs --config"),
        (&["--config", "nowhere.json"], "nowhere.json: cannot be read"),
        (
            &["--listen=127.0.0.1:0", "--tls-cert=nowhere.pem", "--tls-key=nowhere.pem"],
            "nowhere.pem: cannot be read",
        ),
    ] {
        let said = refused(arguments);
        assert!(said.starts_with(&format!("idaas-emulator: {reason}")), "{said}");
    }
}

#[test]
fn other_machines_reach_it_only_if_that_is_said() {
    for option in ["--listen", "--control"] {
        let said = refused(&[option, "0.0.0.0:0"]);
        assert!(
            said.contains("never for users") && said.contains("--beyond-loopback-not-for-users"),
            "{said}"
        );
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["--listen", &address]);
    assert_eq!(said, format!("idaas-emulator: {address} is in use: choose another address by --listen\n"));
    let said = refused(&["--listen", "127.0.0.1:0", "--control", &address]);
    assert_eq!(said, format!("idaas-emulator: {address} is in use: choose another address by --control\n"));
}

#[test]
fn files_that_are_no_certificate_or_key_are_told() {
    let (certificate, key) = (file("cert.pem", "nothing"), file("key.pem", "nothing"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let said = refused(&["--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
    assert!(said.contains("cert.pem: has no certificate in PEM"), "{said}");
}

#[test]
fn the_image_starts_it_with_options_that_there_are() {
    let dockerfile = include_str!("../../Dockerfile");
    let entry = dockerfile.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let entry: Vec<String> = serde_json::from_str(entry).unwrap();
    assert_eq!(entry[0], "/idaas-emulator");
    assert!(entry.iter().any(|argument| argument == "--beyond-loopback-not-for-users"));
    let output = command().args(&entry[1..]).arg("--version").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
