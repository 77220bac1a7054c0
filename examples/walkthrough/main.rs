//! Real logins over HTTP, against the emulator: every stage, every way.
//!
//! `cargo run --example walkthrough` tells each request and response in short; with `-- --whole` it tells them whole, as in
//! `docs/transcripts`. The names of transcripts behind it select flows: `-- --whole alipay logout`.

mod flows;
mod telling;
mod wire;

use std::sync::Arc;

use idaas_login::emulator::Emulator;
use idaas_login::{Request, Transport, UreqTransport};

use self::flows::{FLOWS, Flow, Result};
use self::telling::Telling;

fn main() -> Result<()> {
    let (options, names): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let whole = options.iter().any(|option| option == "--whole");
    let is_selected = |flow: &&Flow| names.is_empty() || names.iter().any(|name| name == flow.name);
    let telling = Arc::new(Telling::new(whole));
    let tenant = Emulator::new();
    let server = tenant.start()?;
    let http = UreqTransport::default();
    println!("An IDaaS tenant is listening at {}.", server.base_address());
    if !whole {
        println!("Every secret is cut short, as in: abcd….");
    }
    for flow in FLOWS.iter().filter(is_selected) {
        tenant.configure(|settings| settings.edition = flow.edition.clone());
        let (http, told) = (http.clone(), Arc::clone(&telling));
        let client = server.client_builder().build_with(move |request: Request| {
            told.request(&request);
            let response = http.send(request);
            told.response(response.as_ref());
            response
        })?;
        let result = flow.run(&tenant, client, &telling);
        print!("{}", telling.take());
        result?;
    }
    Ok(())
}
