//! The probe as a function, so that its test can run it as it is.

mod altered;
pub mod calls;
pub mod checks;
pub mod record;
pub mod report;
pub mod rows;
mod scan;
pub mod supply;
pub mod walk;

use std::io::{BufRead, Write};

use idaas_login::emulator::{self, Emulator};
use idaas_login::{Client, ClientBuilder, Edition, Error, UreqTransport};

use self::calls::{Calls, Given};
use self::checks::{ACTS, Act, MAX_MESSAGES, MAX_PASSWORDS, MAX_WRONG_PASSWORDS, Need};
use self::record::Recorder;
use self::report::Report;
use self::supply::{Emulated, Operator, Supply};
use self::walk::Probe;

/// Why the probe cannot go on.
#[derive(Debug)]
pub struct Stop(pub String);

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

const USAGE: &str = "\
usage: cargo run --example probe -- [flags]

  --dry-run               say what would be done, and send nothing
  --json FILE             write the report as JSON; - is the standard output
  --ask                   ask at the keyboard for codes, and for captchas
  --allow-wrong-attempts  give wrong passwords, codes and captchas; may lock the account
  --allow-send            have codes sent by SMS and e-mail
  --allow-bind            bind accounts
  --allow-register        register accounts
  --allow-password-change CHANGE PASSWORDS of the accounts that you name, to the one that you give

Without IDAAS_PROBE_BASE_ADDRESS the tenant is emulated, and everything is allowed. docs/probe.md has the variables.
Exit code: 0 nothing differs, 1 something differs, 2 it could not run.
";

/// What the operator permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // One for each flag.
pub struct Consent {
    pub bind: bool,
    pub register: bool,
    pub send: bool,
    pub wrong_attempts: bool,
    pub password_change: bool,
}

impl Consent {
    pub const ALL: Self =
        Self { bind: true, register: true, send: true, wrong_attempts: true, password_change: true };

    fn gives(self, need: Need) -> bool {
        match need {
            Need::Bind => self.bind,
            Need::Register => self.register,
            Need::Send => self.send,
            Need::WrongAttempts => self.wrong_attempts,
            Need::PasswordChange => self.password_change,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
struct Arguments {
    consent: Consent,
    json: Option<String>,
    dry_run: bool,
    ask: bool,
    help: bool,
}

impl Arguments {
    fn read(words: &[String]) -> Result<Self, Stop> {
        let mut read = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--allow-bind" => read.consent.bind = true,
                "--allow-register" => read.consent.register = true,
                "--allow-send" => read.consent.send = true,
                "--allow-password-change" => read.consent.password_change = true,
                "--allow-wrong-attempts" => read.consent.wrong_attempts = true,
                "--dry-run" => read.dry_run = true,
                "--ask" => read.ask = true,
                "--help" | "-h" => read.help = true,
                "--json" => {
                    let file = words.next().ok_or_else(|| Stop("--json needs a file, or -".to_owned()))?;
                    read.json = Some(file.clone());
                }
                other => return Err(Stop(format!("there is no flag {other}; --help lists them"))),
            }
        }
        Ok(read)
    }
}

/// A tenant, before a transport is chosen.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub base_address: String,
    pub client_id: String,
    pub edition: Edition,
    pub emulated: bool,
    /// What is tried where the documents turn out wrong.
    pub given: Given,
}

impl Tenant {
    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Stop> {
        let Some(base_address) = variable("IDAAS_PROBE_BASE_ADDRESS") else { return Ok(None) };
        let needed = |name: &str| variable(name).ok_or_else(|| Stop(format!("{name} is missing")));
        let edition = match variable("IDAAS_PROBE_EDITION").as_deref() {
            None | Some("ciam") => Edition::Ciam,
            Some("eiam") => Edition::Eiam,
            Some("oneaccess") => Edition::OneAccess,
            Some("oneaccess-isv") => Edition::OneAccessIsv { tenant_id: needed("IDAAS_PROBE_TENANT_ID")? },
            Some(_) => {
                let editions = "ciam, eiam, oneaccess, oneaccess-isv";
                return Err(Stop(format!("IDAAS_PROBE_EDITION is none of {editions}")));
            }
        };
        let client_id = needed("IDAAS_PROBE_CLIENT_ID")?;
        let given = Given::read(variable)?;
        Ok(Some(Self { base_address, client_id, edition, emulated: false, given }))
    }

    /// Without any call yet.
    pub fn builder(&self) -> ClientBuilder {
        // This machine alone, and only for a tenant that is emulated elsewhere on it.
        Client::builder(&self.base_address, &self.client_id).allow_loopback_http()
    }

    /// The calls that are taken for needed until something else shows.
    fn calls(&self) -> Calls {
        Calls {
            edition: self.edition.clone(),
            path_prefix: self.given.path_prefix.trim_end_matches('/').to_owned(),
            ..Calls::default()
        }
    }

    pub fn edition_name(&self) -> &'static str {
        match self.edition {
            Edition::Ciam => "ciam",
            Edition::Eiam => "eiam",
            Edition::OneAccess => "oneaccess",
            _ => "oneaccess-isv",
        }
    }
}

/// What an act lacks.
pub fn missing(act: &Act, consent: Consent, supply: &dyn Supply) -> Vec<Need> {
    let there = |need: Need| consent.gives(need) || supply.has(need);
    act.needs.iter().copied().filter(|need| !there(*need)).collect()
}

/// What will be done, and what will not.
pub fn plan(tenant: &Tenant, consent: Consent, supply: &dyn Supply) -> String {
    let at = if tenant.emulated { "an emulated tenant on this machine" } else { &tenant.base_address };
    let (mut will, mut will_not) = (Vec::new(), Vec::new());
    for act in ACTS {
        match missing(act, consent, supply).as_slice() {
            [] => will.push(format!("  - {}\n", act.says)),
            missing => {
                will_not.push(format!("  - {}\n      needs {}\n", act.says, report::names(missing)));
            }
        }
    }
    if will_not.is_empty() {
        will_not.push("  - nothing\n".to_owned());
    }
    let (will, will_not) = (will.concat(), will_not.concat());
    let messages = if consent.send { MAX_MESSAGES } else { 0 };
    let wrong = if consent.wrong_attempts { MAX_WRONG_PASSWORDS } else { 0 };
    let limits = format!(
        "At most {messages} messages are sent. For each account its password is given at most {MAX_PASSWORDS} times, and a \
         wrong one at most {wrong} times."
    );
    let edition = tenant.edition_name();
    format!("The tenant: {at}, {edition}.\n\nIt will:\n{will}\n{limits}\n\nIt will not:\n{will_not}\n")
}

/// Asks the tenant. Says to `say` what it sends next.
pub fn run(
    tenant: &Tenant,
    http: &std::sync::Arc<Recorder>,
    consent: Consent,
    supply: &mut dyn Supply,
    say: &mut dyn FnMut(&str),
) -> Report {
    // The tenant's name is nobody's business, either.
    let host =
        tenant.base_address.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default();
    for secret in supply.secrets().iter().map(String::as_str).chain([host, &tenant.client_id]) {
        http.conceal(secret);
    }
    let mut lacks = Vec::new();
    for act in ACTS {
        lacks.push((*act, missing(act, consent, supply)));
    }
    let of = |act: &Act| {
        lacks.iter().find(|(other, _)| *other == act).map(|(_, lack)| lack.clone()).unwrap_or_default()
    };
    let (findings, stopped) = Probe::run(tenant, http, consent, supply, say);
    let mut report = Report::new(&findings, http, of, stopped.as_ref().map(|stop| stop.0.as_str()));
    (report.edition, report.emulated) = (tenant.edition_name(), tenant.emulated);
    report
}

/// The command. Gives its exit code.
pub fn command(
    words: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
    at_terminal: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    match try_command(words, variable, at_terminal, out, err) {
        Ok(code) => code,
        Err(Stop(why)) => {
            let _ = writeln!(err, "probe: {why}");
            2
        }
    }
}

/// Where what people read goes.
type Say<'a> = &'a mut dyn FnMut(&str) -> Result<(), Stop>;

fn try_command(
    words: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
    at_terminal: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, Stop> {
    let arguments = Arguments::read(words)?;
    // It gives way to the JSON.
    let json_out = arguments.json.as_deref() == Some("-");
    let mut say = |text: &str| {
        let to: &mut dyn Write = if json_out { err } else { out };
        to.write_all(text.as_bytes()).map_err(|error| Stop(format!("cannot write: {error}")))
    };
    if arguments.help {
        say(USAGE)?;
        return Ok(0);
    }
    if arguments.ask && !at_terminal {
        return Err(Stop("--ask needs a terminal".to_owned()));
    }
    let report = if let Some(tenant) = Tenant::read(variable)? {
        ask_real(&tenant, &arguments, variable, &mut say)?
    } else {
        ask_emulated(&arguments, &mut say)?
    };
    let Some(report) = report else { return Ok(0) };
    say(&report.text())?;
    if let Some(file) = &arguments.json {
        let json = format!("{:#}\n", report.json());
        let written = if json_out { out.write_all(json.as_bytes()) } else { std::fs::write(file, json) };
        written.map_err(|error| Stop(format!("cannot write {file}: {error}")))?;
    }
    Ok(report.exit_code())
}

/// No report: it was to be dry.
fn ask_real(
    tenant: &Tenant,
    arguments: &Arguments,
    variable: &dyn Fn(&str) -> Option<String>,
    say: Say<'_>,
) -> Result<Option<Report>, Stop> {
    let http = Recorder::new(UreqTransport::default());
    // Checked before it is printed: there may be a password in an address.
    tenant.given.calls(&tenant.edition).apply(tenant.builder()).build_with(http.clone())?;
    let mut keyboard = std::io::stdin().lock();
    let keyboard: Option<&mut dyn BufRead> = if arguments.ask { Some(&mut keyboard) } else { None };
    let mut operator = Operator::read(variable, keyboard)?;
    say(&plan(tenant, arguments.consent, &operator))?;
    let mut say = |text: &str| drop(say(text));
    Ok((!arguments.dry_run).then(|| run(tenant, &http, arguments.consent, &mut operator, &mut say)))
}

fn ask_emulated(arguments: &Arguments, say: Say<'_>) -> Result<Option<Report>, Stop> {
    let server = Emulator::new().start().map_err(|error| Stop(format!("no emulated tenant: {error}")))?;
    let tenant = Tenant {
        base_address: server.base_address(),
        client_id: emulator::Settings::default().client_id,
        edition: Edition::Ciam,
        emulated: true,
        given: Given::default(),
    };
    let mut supply = Emulated::new(server.emulator());
    say(&plan(&tenant, Consent::ALL, &supply))?;
    let http = Recorder::new(UreqTransport::default());
    let mut say = |text: &str| drop(say(text));
    Ok((!arguments.dry_run).then(|| run(&tenant, &http, Consent::ALL, &mut supply, &mut say)))
}
