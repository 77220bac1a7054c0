//! The matrix: every step of the endpoint table, each fault, each with a server and a transport of its own.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use idaas_login::endpoints::{self, Endpoint};
use idaas_login::{Error, Phase, Request, Sent, Transport, UreqTransport};
use rustls::ServerConfig;
use serde_json::Value;

use support::recovery_table::{self, Holds};
use support::server::{Act, Authority, Heard, Server, requests, say, transport};
use support::{self, Answers, SESSION_TOKEN, STATE_TOKEN, StepResult};

/// What the hostile server writes wherever it can; no error may quote it.
pub const MARK: &str = recovery_table::HOSTILE;
/// No cell comes near to it but one that waits.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// Time limits for cells in which the client has to wait: the first, unless the machine is too busy for the client to
/// come so far in it.
const LIMITS: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), PATIENCE];
const WORKERS: usize = 32;
/// When so many cells of a family have failed, the rest is not played: somebody has enough to read.
const TOLD: usize = 40;

// ---- Steps

/// A step of the table, and its request as it goes over the wire.
pub struct Step {
    pub row: &'static Endpoint,
    pub name: String,
    /// The body of the response when all is well.
    pub answer: &'static str,
    /// How many lines the head has, the first included and the empty one not.
    pub lines: usize,
    /// How many bytes the body has.
    pub body: usize,
    /// What the request and the good response carry that no error may tell.
    secrets: Vec<String>,
}

/// Every step, each driven once over the wire.
pub fn steps() -> &'static [Step] {
    // What goes wrong with one is told to each test that asks, by the row's name.
    static STEPS: LazyLock<Result<Vec<Step>, String>> = LazyLock::new(|| {
        let record = |row: &&'static Endpoint| {
            catch_unwind(|| Step::record(row))
                .map_err(|panic| format!("{}: {}", support::name(row), message(&*panic)))
        };
        endpoints::ALL.iter().map(record).collect()
    });
    STEPS.as_ref().unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Whether a fault is played for a step. The transport cannot tell the rows of the table apart but by what goes over the wire,
/// so that one of each form of request meets every fault, and each other one its share; `FAULTS=all` plays everything.
fn is_played(fault: usize, at: usize) -> bool {
    static ALL: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("FAULTS").is_some_and(|value| value == "all"));
    let form = |step: &Step| (step.row.verb, step.body > 1, step.lines, step.row.moves_the_flow());
    let steps = steps();
    let is_first = steps.iter().position(|step| form(step) == form(&steps[at])) == Some(at);
    *ALL || is_first || fault % steps.len() == at
}

impl Step {
    fn record(row: &'static Endpoint) -> Self {
        let answer = support::good_answer(row);
        let server = Server::new(vec![vec![Act::Hear, say(&good_text(answer))]]);
        let came =
            support::run_row(row, support::edition(row), over(transport().build().unwrap(), server.http()));
        let name = support::name(row);
        assert!(matches!(came, StepResult::To(_) | StepResult::Done), "{name}: {came:?}");
        let heard = server.finish();
        let [request] = &requests(&heard[0])[..] else { panic!("{name}: one request") };
        let lines = request.head.split(|byte| *byte == b'\n').count() - 2;
        let mut secrets =
            vec![STATE_TOKEN.to_owned(), SESSION_TOKEN.to_owned(), "156aysdna213sc50".to_owned()];
        for json in [request.body.as_slice(), answer.as_bytes()] {
            let Ok(Value::Object(fields)) = serde_json::from_slice(json) else { continue };
            for (name, value) in fields {
                if let Value::String(value) = value
                    && !matches!(name.as_str(), "status" | "type")
                {
                    secrets.push(value);
                }
            }
        }
        Self { row, name, answer, lines, body: request.body.len(), secrets }
    }

    fn assert_tells_nothing(&self, error: &Error) {
        let mut text = format!("{error}\n{error:?}");
        let mut source = error.source();
        while let Some(cause) = source {
            write!(text, "\n{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
        let secrets = self.secrets.iter().map(String::as_str);
        for secret in secrets.chain([MARK]) {
            assert!(!text.contains(secret), "an error tells {secret}: {text}");
        }
    }
}

/// A whole response.
pub fn good_text(body: &str) -> String {
    format!(
        "HTTP/1.1 200 {MARK}\r\nContent-Type: application/json\r\nX-Server: {MARK}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Responses over one transport, from the server at `base`.
pub fn over(transport: UreqTransport, base: String) -> Answers {
    Arc::new(move |request: Request| {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        parts.uri = format!("{base}{path}").parse().unwrap();
        transport.send(Request::from_parts(parts, body))
    })
}

// ---- What is expected, and what was seen

/// What came of one cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// What the caller of a step holds; a side call has the error alone.
    recovery: &'static str,
    /// The error: whether the request was sent, and how far it came; or what the response said.
    error: String,
}

impl Seen {
    pub const fn answer(recovery: &'static str, error: String) -> Self {
        Self { recovery, error }
    }

    pub fn of(came: &StepResult, step: &Step) -> Self {
        if let Some(error) = came.error() {
            step.assert_tells_nothing(error);
        }
        match came {
            StepResult::To(stage) => {
                assert_eq!(Some(stage), step.row.leads_to.first(), "the stage that was reached");
            }
            StepResult::Retry(_, stage) | StepResult::Unresolved(_, stage) => {
                assert_eq!(*stage, step.row.from, "the stage that came back");
            }
            StepResult::StartOver(_) | StepResult::Done | StepResult::Failed(_) => {}
        }
        let error = match came.error() {
            None => "-".to_owned(),
            Some(Error::Transport(error)) => format!("{:?} {:?}", error.sent(), error.phase()),
            Some(error) => recovery_table::says(error),
        };
        Self { recovery: came.recovery(), error }
    }

    /// The same for a side call, which leaves its stage where it is.
    pub fn for_step(&self, step: &Step) -> Self {
        let recovery =
            if step.row.moves_the_flow() || self.recovery == "-" { self.recovery } else { "error" };
        Self { recovery, error: self.error.clone() }
    }
}

pub fn ok() -> Vec<Seen> {
    vec![Seen::answer("-", "-".to_owned())]
}

/// Not sent, and proved: the stage is handed back.
pub fn not_sent(phase: Phase) -> Vec<Seen> {
    vec![Seen::answer(Holds::Retry.name(), format!("{:?} {phase:?}", Sent::No))]
}

/// It may have been sent.
pub fn lost(phase: Phase) -> Vec<Seen> {
    vec![Seen::answer(Holds::Unresolved.name(), format!("{:?} {phase:?}", Sent::Maybe))]
}

/// A response that is not the API's.
pub fn unexpected(recovery: &'static str, reason: &str) -> Vec<Seen> {
    vec![Seen::answer(recovery, reason.to_owned())]
}

/// One or the other: what comes first is the network's to say.
pub fn either(mut one: Vec<Seen>, other: Vec<Seen>) -> Vec<Seen> {
    one.extend(other);
    one
}

// ---- Faults

/// A fault, and what may come of it.
pub struct Fault {
    pub name: String,
    pub expected: Vec<Seen>,
    play: Play,
}

/// `None`: the step has no such point.
type Play = Box<dyn Fn(&Step) -> Option<Played> + Send + Sync>;

/// What came of a cell, and how much of the request the server had when it did what the fault is.
pub struct Played {
    pub seen: Seen,
    pub had: Option<usize>,
}

/// With or without TLS.
#[derive(Clone)]
pub enum Wire {
    Plain,
    Tls,
    /// The script does it itself.
    Handshake,
}

/// The authority that the clients trust.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

fn good_server() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    Arc::clone(CONFIG.get_or_init(|| authority().good_server()))
}

/// What a client of the matrix has, whatever the cell.
pub fn settings(wire: &Wire, limit: Duration) -> idaas_login::UreqTransportBuilder {
    let builder = match wire {
        Wire::Plain => transport(),
        Wire::Tls | Wire::Handshake => authority().trusted(),
    };
    builder.connect_timeout(limit).call_timeout(limit).max_response_size(LARGEST)
}

impl Fault {
    pub fn new(
        name: impl Into<String>,
        expected: Vec<Seen>,
        play: impl Fn(&Step) -> Option<Played> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), expected, play: Box::new(play) }
    }

    /// A server plays this script on the one connection there should be, which the last act ends; `None`: not for this
    /// step. Another connection would be answered: a request that is repeated would succeed.
    pub fn scripted(
        name: impl Into<String>,
        wire: Wire,
        expected: Vec<Seen>,
        script: impl Fn(&Step) -> Option<Vec<Act>> + Send + Sync + 'static,
    ) -> Self {
        let play = move |step: &Step, limit| Some(play(step, &wire, limit, script(step)?));
        Self::patient(name, expected, play)
    }

    /// A cell whose client has to wait is played again with a longer time limit if it did not come out as it should: on
    /// a busy machine the time was up before the client had come to the fault. What comes out with the longest counts,
    /// and what may never be is asserted each time.
    pub fn patient(
        name: impl Into<String>,
        expected: Vec<Seen>,
        play: impl Fn(&Step, Duration) -> Option<Attempt> + Send + Sync + 'static,
    ) -> Self {
        let may = expected.clone();
        Self::new(name, expected, move |step| {
            let come_out =
                |attempt: &Attempt| attempt.came_about && is_expected(&may, &attempt.played.seen, step);
            let [first, second, last] = LIMITS;
            for limit in [first, second] {
                let attempt = play(step, limit)?;
                if come_out(&attempt) {
                    return Some(attempt.played);
                }
            }
            let attempt = play(step, last)?;
            assert!(attempt.came_about, "the fault did not come about: {:?}", attempt.played.seen);
            Some(attempt.played)
        })
    }
}

/// What came of a cell with a certain time limit.
pub struct Attempt {
    pub played: Played,
    /// Whether the server came to the fault at all.
    pub came_about: bool,
}

/// A server that plays the script first, and answers on another connection: a request that is repeated would succeed.
pub fn serve(step: &Step, wire: &Wire, mut script: Vec<Act>) -> (Server, String) {
    let mut healthy = vec![Act::Hear, say(&good_text(step.answer))];
    if let Wire::Tls = wire {
        script.insert(0, Act::Shake(good_server()));
    }
    if !matches!(wire, Wire::Plain) {
        healthy.insert(0, Act::Shake(good_server()));
    }
    let server = Server::new(vec![script, healthy]);
    let base = if let Wire::Plain = wire { server.http() } else { server.https() };
    (server, base)
}

/// Whether the client has to wait for the end of the script until its time limit.
pub fn waits(script: &[Act]) -> bool {
    matches!(script.last(), Some(Act::UntilClosed | Act::Flood(_)))
}

fn play(step: &Step, wire: &Wire, limit: Duration, mut script: Vec<Act>) -> Attempt {
    let waits = waits(&script);
    let limit = if waits { limit } else { PATIENCE };
    let (tell, told) = mpsc::channel();
    script.insert(script.len() - 1, Act::Tell(tell));
    let (server, base) = serve(step, wire, script);
    let transport = settings(wire, limit).build().unwrap();
    let came = support::run_row(step.row, support::edition(step.row), over(transport, base));
    let heard = server.finish();
    let had = told.try_iter().last();
    assert!(heard.len() <= 1, "{} connections: {came:?}", heard.len());
    assert_once(&came, &heard, 1);
    Attempt { played: Played { seen: Seen::of(&came, step), had }, came_about: !waits || had.is_some() }
}

/// The size that a response may have here; every good one is smaller.
pub const LARGEST: usize = 20_000;

/// Not more requests than were made; and if it is said that the request was not sent, then not one byte of it came.
pub fn assert_once(came: &StepResult, heard: &[Heard], takes: usize) {
    let arrived = arrived(heard);
    assert!(arrived <= takes, "{arrived} requests arrived: {came:?}");
    let Some(Error::Transport(error)) = came.error() else { return };
    if error.sent() == Sent::No {
        assert_eq!(arrived, takes - 1, "said to be not sent: {error:?}");
    }
}

/// How many requests came, whole or not, over all connections. What is inside a handshake is none.
pub fn arrived(heard: &[Heard]) -> usize {
    let begins_as_one = |heard: &&Heard| heard.starts_with(b"P") || heard.starts_with(b"G");
    heard.iter().filter(begins_as_one).map(|heard| requests(heard).len()).sum()
}

fn is_expected(may: &[Seen], seen: &Seen, step: &Step) -> bool {
    may.iter().any(|expected| expected.for_step(step) == *seen)
}

// ---- The matrix

/// What a row of the matrix shows.
#[derive(Default)]
struct Row {
    steps: usize,
    calls: usize,
    seen: BTreeSet<Seen>,
    had: BTreeSet<usize>,
}

/// Plays every fault for every step; prints what came of it, and returns what had to come of it.
///
/// # Panics
/// If a cell came out otherwise, once all are through.
pub fn run(family: &str, faults: &[Fault]) -> String {
    let started = Instant::now();
    let cells: Vec<_> = (0..faults.len())
        .flat_map(|fault| {
            steps()
                .iter()
                .enumerate()
                .filter(move |(at, _)| is_played(fault, *at))
                .map(move |(_, step)| (fault, step))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Row>> = Mutex::new(faults.iter().map(|_| Row::default()).collect());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, step)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if failures.lock().unwrap().len() >= TOLD {
                        return;
                    }
                    let fault = &faults[*at];
                    match catch_unwind(AssertUnwindSafe(|| (fault.play)(step))) {
                        Ok(None) => {}
                        Ok(Some(played)) => {
                            if !is_expected(&fault.expected, &played.seen, step) {
                                let line = format!("{}: {}: {:?}", fault.name, step.name, played.seen);
                                failures.lock().unwrap().push(line);
                            }
                            rows.lock().unwrap()[*at].add(step, played);
                        }
                        Err(panic) => {
                            let line = format!("{}: {}: {}", fault.name, step.name, message(&*panic));
                            failures.lock().unwrap().push(line);
                        }
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    let width = faults.iter().map(|fault| fault.name.len()).max().unwrap_or_default();
    let mut table = String::new();
    let mut cells = 0;
    println!("{family}: fault | steps + side calls | what the caller holds: error | bytes the server had");
    for (fault, row) in faults.iter().zip(&rows) {
        cells += row.steps + row.calls;
        let had = match (row.had.first(), row.had.last()) {
            (Some(least), Some(most)) if least == most => format!("{least}"),
            (Some(least), Some(most)) => format!("{least}..{most}"),
            _ => "-".to_owned(),
        };
        let line = |seen: &BTreeSet<Seen>| {
            let each: Vec<_> =
                seen.iter().map(|seen| format!("{:10} {}", seen.recovery, seen.error)).collect();
            each.join(" | ")
        };
        let seen = line(&row.seen);
        println!("{:width$} | {:2} + {:1} | {seen} | {had}", fault.name, row.steps, row.calls);
        let expected = line(&fault.expected.iter().cloned().collect());
        writeln!(table, "{:width$} | {expected}", fault.name).unwrap();
    }
    let unplayed: Vec<_> = faults
        .iter()
        .zip(&rows)
        .filter(|(_, row)| row.steps + row.calls == 0)
        .map(|(fault, _)| &fault.name)
        .collect();
    println!("{family}: {cells} cells in {:.1?}\n", started.elapsed());
    let failures = failures.into_inner().unwrap();
    assert!(!failures.is_empty() || unplayed.is_empty(), "{family}: for no step: {unplayed:?}");
    assert!(failures.is_empty(), "{family}: {} of {cells} cells:\n{}", failures.len(), failures.join("\n"));
    table
}

impl Row {
    fn add(&mut self, step: &Step, played: Played) {
        *(if step.row.moves_the_flow() { &mut self.steps } else { &mut self.calls }) += 1;
        self.seen.insert(played.seen);
        self.had.extend(played.had);
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text")
}
