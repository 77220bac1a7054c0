//! The transcripts: what the example `walkthrough` tells, at a tenant whose clock stands still and whose tokens are the same each
//! time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use idaas_login::emulator::Emulator;
use idaas_login::{Request, Transport};

use self::flows::{FLOWS, Flow};
use self::telling::Telling;
use crate::files::GENERATED;
use crate::wire;

#[path = "../../examples/walkthrough/flows.rs"]
mod flows;
#[path = "../../examples/walkthrough/telling.rs"]
mod telling;

/// Where they are.
pub const FOLDER: &str = "docs/transcripts";

/// Each transcript, and the list of them.
pub fn documents() -> BTreeMap<String, String> {
    let mut index = String::from(INDEX);
    let mut all = BTreeMap::new();
    for flow in FLOWS {
        writeln!(index, "| [{}]({}.md) | {} |", flow.title, flow.name, flow.edition.kind()).unwrap();
        all.insert(format!("{FOLDER}/{}.md", flow.name), transcript(flow));
    }
    all.insert(format!("{FOLDER}/README.md"), index);
    all
}

const INDEX: &str = "# Transcripts

<!-- Generated: cargo xtask docs -->

Logins at the emulated tenant, from the first request to the last: the stages, their steps, and each request and response whole.
Every secret in them is the emulator's, and protects nothing. `cargo run --example walkthrough -- --whole` runs the same flows over
HTTP and prints them in this form, with tokens and times of its own. On these pages they are the same each time, so `cargo xtask docs --check` compares them.

A body is one line on the wire; here a long one is broken. What HTTP adds, such as `content-length`, is left out, and so are the
pictures of captchas and the bytes of signatures. A quoted line is what the caller sees. The [reference](../reference.md) has each
step alone, and [the flow](../flow.md) says why and when.

| transcript | edition |
|---|---|
";

fn transcript(flow: &Flow) -> String {
    let tenant = Emulator::new().with_seed(1).with_clock(|| UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    tenant.configure(|settings| settings.edition = flow.edition.clone());
    let telling = Arc::new(Telling::new(true));
    let (emulator, told) = (tenant.clone(), Arc::clone(&telling));
    let client = tenant.client_builder("https://acme.example.com").build_with(move |request: Request| {
        told.request(&request);
        let response = emulator.send(request);
        told.response(response.as_ref());
        response
    });
    flow.run(&tenant, client.unwrap(), &telling).unwrap_or_else(|error| panic!("{}: {error}", flow.name));
    let told = telling.take();
    let (title, rest) = told.split_once('\n').unwrap();
    format!("{title}\n\n{GENERATED}{rest}")
}
